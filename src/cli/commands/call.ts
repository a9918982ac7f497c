import { existsSync, readFileSync } from 'node:fs'
import type { Gateway } from '../../gateway/gateway.ts'
import type { Context } from '../../model/call.ts'
import { GATEWAY_CALLER } from '../../model/call.ts'
import { Cancellation } from '../../model/cancellation.ts'
import { GatewayError } from '../../model/errors.ts'
import { principalOwner } from '../../model/ids.ts'
import type { JsonObject } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import { principalKey } from '../../model/principal.ts'
import { parseJson } from '../../protocol/json.ts'
import { LATEST_MODERN } from '../../protocol/revisions.ts'
import { AS_FLAG, actingAs } from '../acting-as.ts'
import type { Command } from '../args.ts'
import { CONFIG_FLAGS, loadOrExit, sourceOf } from '../configuration.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import { LOCK_FLAGS, frozenBy } from '../lock-file.ts'
import { withGateway } from '../session.ts'
import { print, printError } from '../terminal.ts'

export const callCommand: Command = {
  name: 'call',
  usage: '[FILE|DIR...] TOOL [JSON|-] [options]',
  summary: 'Call one tool and print what it answers.',
  flags: {
    ...CONFIG_FLAGS,
    ...LOCK_FLAGS,
    ...AS_FLAG,
    json: { type: 'boolean', help: 'print the whole result object as received' },
  },
  notes: [
    'Arguments that are existing paths are files, the first other one is TOOL. "-" reads the arguments from standard input.',
    'Exits with 1 when the call fails, a result flagged isError included.',
  ],
  examples: [
    `vmcp call mcp.json everything_echo '{"message":"hello"}'`,
    `echo '{"path":"notes"}' | vmcp call mcp.json filesystem_list_directory - --json`,
  ],
  run: async (args) => {
    const { files, tool, input } = split(args.positionals)
    const parameters = argumentsFrom(input)
    const source = sourceOf(args, files)
    const lock = frozenBy(args, source, 'call')?.lock
    const { served, principal } = actingAs(args, await loadOrExit(source), 'call')
    return withGateway({ ...served, ...(lock && { lock }) }, async (gateway) => {
      const context: Context = {
        ...GATEWAY_CALLER,
        principal,
        owner: principalOwner(principalKey(principal)),
        revision: LATEST_MODERN,
        signal: new Cancellation(),
        deadline: undefined,
        streaming: false,
        emit: ({ params }) => printError(`progress: ${JSON.stringify(params['message'] ?? params['progress'])}`),
        ask: undefined,
        header: undefined,
      }
      const params: JsonObject = { name: tool, arguments: parameters, _meta: { progressToken: 1 } }
      const outcome = await gateway.core
        .invoke({ kind: 'tool', name: tool, params }, context)
        .catch(async (error: unknown) => {
          if (!(error instanceof GatewayError)) throw error
          const hint = error.code === 'NOT_AVAILABLE' ? await toolsFor(gateway, context) : undefined
          throw new CliError(EXIT.failed, error.message, hint)
        })
      if (outcome.kind !== 'result') throw new Error(`a ${outcome.kind} was not asked for`)
      const result = outcome.value
      if (args.on('json')) print(JSON.stringify(result, null, 2))
      else showContent(result)
      return result['isError'] === true ? EXIT.failed : EXIT.ok
    })
  },
}

/** The tools that this caller sees. */
async function toolsFor({ core }: Gateway, caller: Context): Promise<string> {
  const { catalogue } = await core.catalogue(caller, 'list')
  const seen = [...catalogue.tools.values()].filter(({ visibility }) => visibility === 'listed')
  return `tools: ${
    seen
      .map(({ shown }) => shown)
      .join(', ')
      .slice(0, 1000) || 'none'
  }`
}

function split(positionals: readonly string[]): { files: string[]; tool: string; input: string | undefined } {
  const first = positionals.findIndex((argument) => argument === '-' || !existsSync(argument))
  const tool = first === -1 ? undefined : positionals[first]
  if (tool === undefined || tool === '-') throw usageError('name the tool to call', 'call')
  const [input, extra] = positionals.slice(first + 1)
  if (extra !== undefined) throw usageError(`unexpected argument "${extra}"`, 'call')
  return { files: positionals.slice(0, first), tool, input }
}

function argumentsFrom(input: string | undefined): JsonObject {
  const text = input === '-' ? readFileSync(0, 'utf8') : (input ?? '{}')
  try {
    const value = parseJson(text)
    if (isObject(value)) return value
  } catch {
    // Told below.
  }
  throw usageError('the arguments must be a JSON object', 'call')
}

function showContent(result: JsonObject): void {
  const content = Array.isArray(result['content']) ? result['content'] : []
  for (const block of content) {
    if (isObject(block) && typeof block['text'] === 'string') print(block['text'])
    else print(JSON.stringify(block))
  }
  if (content.length === 0) print(JSON.stringify(result['structuredContent'] ?? result, null, 2))
}
