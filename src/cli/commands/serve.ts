import type { Command } from '../args.ts'
import { CONFIG_FLAGS, loadOrExit, sourceOf } from '../configuration.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import { identity } from '../../gateway/identity.ts'
import { tellUnserved } from '../later.ts'
import { LOCK_FLAGS, frozenBy } from '../lock-file.ts'
import { serveHttp } from '../serve/http.ts'
import { serveStdio } from '../serve/stdio.ts'
import type { LogFormat, LogLevel } from '../../telemetry/log.ts'

const LEVELS: readonly string[] = ['error', 'warn', 'info', 'debug'] satisfies LogLevel[]
const FORMATS: readonly string[] = ['text', 'json'] satisfies LogFormat[]
const TRANSPORTS = ['http', 'stdio']

export const serveCommand: Command = {
  name: 'serve',
  usage: '[FILE|DIR...] [options]',
  summary: 'Serve one MCP endpoint for all servers of a configuration.',
  flags: {
    ...CONFIG_FLAGS,
    ...LOCK_FLAGS,
    host: { type: 'string', value: 'HOST', help: 'address to listen on (127.0.0.1)' },
    port: { type: 'string', value: 'PORT', help: 'port to listen on, 0 for a free one (4483)' },
    transport: { type: 'string', value: 'http|stdio', help: 'how clients reach the gateway (http)' },
    watch: {
      type: 'boolean',
      help: 'reload when a file changes; a faulty file leaves the running configuration alone',
    },
    'log-format': { type: 'string', value: 'text|json', help: 'text for people, json for collectors (text)' },
    'log-level': { type: 'string', value: 'LEVEL', help: 'error, warn, info or debug (warn; info with json)' },
    debug: { type: 'boolean', help: 'the same as --log-level debug' },
  },
  notes: [
    'Ctrl-C ends the gateway and everything that it started; a second one does so at once.',
    'SIGHUP has it read the configuration, and every file that holds a secret, anew.',
    'With --transport stdio, standard output carries the protocol and everything else goes to standard error.',
  ],
  examples: [
    'vmcp serve mcp.json',
    'vmcp serve vmcp.yaml --port 0 --watch',
    'vmcp serve manifests/ --group engineering',
    'vmcp serve --config=/etc/vmcp-config/config.yaml --host=0.0.0.0 --port=4483 --log-format json',
    'vmcp serve mcp.json --transport stdio        (for clients that start a command)',
  ],
  run: async (args) => {
    const transport = oneOf(args.text('transport') ?? 'http', TRANSPORTS, '--transport')
    const format = oneOf(args.text('log-format') ?? 'text', FORMATS, '--log-format') as LogFormat
    const asked = args.on('debug') ? 'debug' : args.text('log-level')
    if (asked !== undefined) oneOf(asked, LEVELS, '--log-level')
    const port = portOf(args.text('port') ?? '4483')
    const source = sourceOf(args)
    const frozen = frozenBy(args, source)
    const loaded = await loadOrExit(source)
    const { config } = loaded
    tellUnserved(config)
    const level = (asked ?? config.logLevel ?? (format === 'json' ? 'info' : 'warn')) as LogLevel
    const options = { ...loaded, source, identity, format, level, watch: args.on('watch'), frozen }
    if (transport === 'stdio') {
      const { type } = config.incomingAuth
      if (type !== 'anonymous') {
        const hint = 'whoever starts the command is the one client: take incomingAuth out, or serve over HTTP'
        throw new CliError(EXIT.config, `incomingAuth of type "${type}" cannot be used with --transport stdio`, hint)
      }
      return serveStdio(options)
    }
    return serveHttp({ ...options, host: args.text('host') ?? '127.0.0.1', port })
  },
}

function oneOf(value: string, allowed: readonly string[], flag: string): string {
  if (allowed.includes(value)) return value
  throw usageError(`${flag} must be ${allowed.join(' or ')}, found "${value}"`, 'serve')
}

function portOf(text: string): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65_535) return port
  throw new CliError(EXIT.usage, `--port must be a number from 0 to 65535, found "${text}"`)
}
