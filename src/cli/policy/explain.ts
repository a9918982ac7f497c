import { explain as explainCall, principalOf, requestOf } from '../../auth/policy/explain.ts'
import { HINTS } from '../../auth/policy/vocabulary.ts'
import type { JsonObject } from '../../model/json.ts'
import { type Args, type Command, JSON_FLAG } from '../args.ts'
import { EXIT, usageError } from '../exit.ts'
import { objectFrom } from '../json-argument.ts'
import { print, printJson } from '../terminal.ts'
import { explanationText } from './explanation.ts'
import { fileIn } from './file-argument.ts'
import { usablePolicies } from './source.ts'

export const explainVerb: Command = {
  name: 'policy explain',
  usage: 'FILE [options]',
  summary: 'Tell why somebody may or may not.',
  flags: {
    principal: { type: 'string', value: 'JSON', help: 'the claims of who is asking, sub among them' },
    tool: { type: 'string', value: 'NAME', help: 'the tool that is called' },
    resource: { type: 'string', value: 'URI', help: 'the resource that is read' },
    prompt: { type: 'string', value: 'NAME', help: 'the prompt that is got' },
    backend: { type: 'string', value: 'NAME', help: 'the backend that offers it' },
    annotations: { type: 'string', value: 'JSON', help: 'the annotations of the tool: {"readOnlyHint":true}' },
    arguments: { type: 'string', value: 'JSON', help: 'the arguments of the call' },
    ...JSON_FLAG,
  },
  notes: ['FILE is a configuration or a .cedar file. Exits with 0 whatever is decided.'],
  examples: [
    `vmcp policy explain vmcp.yaml --principal '{"sub":"alice","groups":["admins"]}' --tool github_search`,
    `vmcp policy explain vmcp.yaml --principal '{"sub":"bob"}' --tool github_search --annotations '{"readOnlyHint":true}'`,
  ],
  run: explain,
}

async function explain(args: Args): Promise<number> {
  const file = fileIn(args)
  const given = {
    ...texts(args, ['tool', 'resource', 'prompt', 'backend']),
    ...(args.text('annotations') !== undefined && { annotations: annotationsIn(args) }),
    ...(args.text('arguments') !== undefined && { arguments: objectIn(args, 'arguments') }),
  }
  const named = ['tool', 'resource', 'prompt'].filter((kind) => args.text(kind) !== undefined)
  if (named.length !== 1) throw usageError('name one of --tool, --resource and --prompt', args.command)
  const principal = principalOf(objectIn(args, 'principal'))
  const explanation = explainCall(await usablePolicies(file), requestOf(principal, given))
  if (args.on('json')) printJson(explanation)
  else print(explanationText(explanation))
  return EXIT.ok
}

function texts(args: Args, flags: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    flags.flatMap((flag) => {
      const text = args.text(flag)
      return text === undefined ? [] : [[flag, text]]
    }),
  )
}

/** Hints that are not booleans are none, so they are slips here. */
function annotationsIn(args: Args): JsonObject {
  const annotations = objectIn(args, 'annotations')
  for (const hint of HINTS) {
    const value = annotations[hint]
    if (value !== undefined && typeof value !== 'boolean') {
      throw usageError(`${hint} in --annotations must be true or false`, args.command)
    }
  }
  return annotations
}

const objectIn = (args: Args, flag: string): JsonObject =>
  objectFrom(args.text(flag) ?? '{}', `--${flag}`, args.command)
