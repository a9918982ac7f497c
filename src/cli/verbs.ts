import type { Args, Command, Flag } from './args.ts'
import { wordOf } from './args.ts'
import { usageError } from './exit.ts'

/**
 * A command that can do several things. Its flags are those of all verbs, since they may stand before the verb; one
 * that the verb does not know is a usage error.
 */
export function withVerbs(
  command: Omit<Command, 'flags' | 'run'> & { verbs: readonly [Command, ...Command[]] },
): Command {
  const { name, usage, verbs } = command
  const words = verbs.map(wordOf)
  return {
    ...command,
    usage: `${words.join('|')} ${usage}`,
    flags: flagsOf(verbs),
    run: async (args) => {
      const [word, ...positionals] = args.positionals
      const verb = verbs.find((one) => wordOf(one) === word)
      if (!verb) throw usageError(`say what to do: ${words.join(', ')}`, name)
      refuseStrange(args, verb, verbs)
      return verb.run({ ...args, command: verb.name, positionals })
    },
  }
}

/** The verb of a command line that asks for help. `undefined`: it names none. */
export function verbIn({ verbs = [] }: Command, argv: readonly string[]): Command | undefined {
  const word = argv.find((argument) => verbs.some((verb) => wordOf(verb) === argument))
  return verbs.find((verb) => wordOf(verb) === word)
}

function refuseStrange({ flags }: Args, verb: Command, verbs: readonly Command[]): void {
  const strange = flags.find((flag) => !Object.hasOwn(verb.flags, flag))
  if (strange === undefined) return
  const able = knowing(verbs, strange).map(wordOf)
  throw usageError(`${verb.name} does not know --${strange}, which goes with ${able.join(' and ')}`, verb.name)
}

const knowing = (verbs: readonly Command[], flag: string): Command[] =>
  verbs.filter(({ flags }) => Object.hasOwn(flags, flag))

/** Each tells which verbs it goes with, unless all do. */
function flagsOf(verbs: readonly Command[]): Record<string, Flag> {
  const flags: Record<string, Flag> = {}
  for (const [name, flag] of verbs.flatMap((verb) => Object.entries(verb.flags))) {
    const able = knowing(verbs, name)
    const help = able.length === verbs.length ? flag.help : `${able.map(wordOf).join(', ')}: ${flag.help}`
    flags[name] ??= { ...flag, help }
  }
  return flags
}
