import { readFileSync } from 'node:fs'
import type { Gateway } from '../../gateway/gateway.ts'
import type { Context } from '../../model/call.ts'
import { GatewayError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import { AS_FLAG, actingAs } from '../acting-as.ts'
import type { Command } from '../args.ts'
import { callContext } from '../call-context.ts'
import { callTool } from '../call-tool.ts'
import { CONFIG_FLAGS, filesFirst, loadOrExit, sourceOf } from '../configuration.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import { objectFrom } from '../json-argument.ts'
import { LOCK_FLAGS, frozenBy } from '../lock-file.ts'
import { withGateway } from '../session.ts'
import { print, printError, printJson } from '../terminal.ts'

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
    const given = objectFrom(input === '-' ? readFileSync(0, 'utf8') : (input ?? '{}'), 'the arguments', 'call')
    const source = sourceOf(args, files)
    const lock = frozenBy(args, source)?.lock
    const { served, principal } = actingAs(args, await loadOrExit(source))
    return withGateway({ ...served, ...(lock && { lock }) }, async (gateway) => {
      const context = callContext(principal, {
        emit: ({ params }) => printError(`progress: ${JSON.stringify(params['message'] ?? params['progress'])}`),
      })
      const result = await callTool(gateway.core, tool, given, context).catch(async (error: unknown) => {
        if (!(error instanceof GatewayError)) throw error
        const hint = error.code === 'NOT_AVAILABLE' ? await toolsFor(gateway, context) : undefined
        throw new CliError(EXIT.failed, error.message, hint)
      })
      if (args.on('json')) printJson(result)
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
  const { files, rest } = filesFirst(positionals)
  const [tool, input, extra] = rest
  if (tool === undefined || tool === '-') throw usageError('name the tool to call', 'call')
  if (extra !== undefined) throw usageError(`unexpected argument "${extra}"`, 'call')
  return { files, tool, input }
}

function showContent(result: JsonObject): void {
  const content = Array.isArray(result['content']) ? result['content'] : []
  for (const block of content) {
    if (isObject(block) && typeof block['text'] === 'string') print(block['text'])
    else print(JSON.stringify(block))
  }
  if (content.length === 0) printJson(result['structuredContent'] ?? result)
}
