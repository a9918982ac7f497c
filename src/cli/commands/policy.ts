import { explain, principalOf, requestOf, runCases } from '../../auth/policy/explain.ts'
import { HINTS } from '../../auth/policy/vocabulary.ts'
import { formatFault } from '../../config/format.ts'
import type { JsonObject } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import { parseJson } from '../../protocol/json.ts'
import type { Args, Command } from '../args.ts'
import { EXIT, usageError } from '../exit.ts'
import { CASES_FORMAT, readCases } from '../policy/cases.ts'
import { explanationText } from '../policy/explanation.ts'
import { printFaults } from '../print-faults.ts'
import { readPolicyFile, usablePolicies } from '../policy/source.ts'
import { count, paintFor, print } from '../terminal.ts'

export const policyCommand: Command = {
  name: 'policy',
  usage: 'check|test|explain FILE [options]',
  summary: 'Check, test and explain the policies of a configuration or of a .cedar file.',
  flags: {
    principal: { type: 'string', value: 'JSON', help: 'explain: the claims of who is asking, sub among them' },
    tool: { type: 'string', value: 'NAME', help: 'explain: the tool that is called' },
    resource: { type: 'string', value: 'URI', help: 'explain: the resource that is read' },
    prompt: { type: 'string', value: 'NAME', help: 'explain: the prompt that is got' },
    backend: { type: 'string', value: 'NAME', help: 'explain: the backend that offers it' },
    annotations: { type: 'string', value: 'JSON', help: 'explain: the annotations of the tool: {"readOnlyHint":true}' },
    arguments: { type: 'string', value: 'JSON', help: 'explain: the arguments of the call' },
    json: { type: 'boolean', help: 'print the result as JSON' },
  },
  notes: [...CASES_FORMAT, 'Exits with 1 when a case fails, with 3 when policies or cases are wrong.'],
  examples: [
    'vmcp policy check vmcp.yaml',
    'vmcp policy test vmcp.test.yaml',
    `vmcp policy explain vmcp.yaml --principal '{"sub":"alice","groups":["admins"]}' --tool github_search`,
    `vmcp policy explain vmcp.yaml --principal '{"sub":"bob"}' --tool github_search --annotations '{"readOnlyHint":true}'`,
  ],
  run: async (args) => {
    const [verb, file, extra] = args.positionals
    const verbs: Readonly<Record<string, (file: string, args: Args) => Promise<number>>> = { check, test, explain: why }
    const run = verb !== undefined && Object.hasOwn(verbs, verb) ? verbs[verb] : undefined
    if (!run) throw usageError(`say what to do: ${Object.keys(verbs).join(', ')}`, 'policy')
    if (file === undefined) throw usageError(`name the file to ${verb}`, 'policy')
    if (extra !== undefined) throw usageError(`unexpected argument "${extra}"`, 'policy')
    return run(file, args)
  },
}

async function check(file: string, args: Args): Promise<number> {
  const { set, faults } = await readPolicyFile(file)
  const errors = printFaults(faults, args.on('json'))
  if (!args.on('json')) {
    const paint = paintFor(process.stdout)
    if (errors > 0) print(paint.bad(count(errors, 'error')))
    else print(set ? paint.good('valid') : `${file} has no policies: everybody who may connect may do everything`)
  }
  return errors > 0 ? EXIT.config : EXIT.ok
}

async function test(file: string, args: Args): Promise<number> {
  const { policies, cases, places } = readCases(file)
  const results = runCases(await usablePolicies(policies, formatFault), cases)
  const failed = results.filter(({ passed }) => !passed)
  if (args.on('json')) print(JSON.stringify(results, null, 2))
  else {
    const paint = paintFor(process.stdout)
    for (const [index, { case: one, passed, explanation }] of results.entries()) {
      const { name, principal, call, expected } = one
      const title = name ?? `${JSON.stringify(principal)} ${JSON.stringify(call)} ${expected}`
      print(`${passed ? paint.good('passed') : paint.bad('failed')}  ${title}`)
      if (!passed)
        print(`  ${places[index]}: expected ${expected}\n${explanationText(explanation).replace(/^/gmu, '  ')}`)
    }
    print(`${results.length - failed.length} passed, ${failed.length} failed`)
  }
  return failed.length > 0 ? EXIT.failed : EXIT.ok
}

async function why(file: string, args: Args): Promise<number> {
  const given = {
    ...texts(args, ['tool', 'resource', 'prompt', 'backend']),
    ...(args.text('annotations') !== undefined && { annotations: annotationsIn(args) }),
    ...(args.text('arguments') !== undefined && { arguments: objectIn(args, 'arguments') }),
  }
  const named = ['tool', 'resource', 'prompt'].filter((kind) => args.text(kind) !== undefined)
  if (named.length !== 1) throw usageError('name one of --tool, --resource and --prompt', 'policy')
  const principal = principalOf(args.text('principal') === undefined ? {} : objectIn(args, 'principal'))
  const set = await usablePolicies(file, formatFault)
  const explanation = explain(set, requestOf(principal, given))
  print(args.on('json') ? JSON.stringify(explanation, null, 2) : explanationText(explanation))
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
      throw usageError(`${hint} in --annotations must be true or false`, 'policy')
    }
  }
  return annotations
}

function objectIn(args: Args, flag: string): JsonObject {
  try {
    const value = parseJson(args.text(flag) ?? '')
    if (isObject(value)) return value
  } catch {
    // Told below.
  }
  throw usageError(`--${flag} must be a JSON object`, 'policy')
}
