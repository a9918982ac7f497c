/**
 * A scripted MCP server over stdio, started as `node test/support/stdio-backend.ts '{"era":"legacy"}'`.
 * Tools: see `TOOLS`. What it read of cancellations and who it is can be asked with tools, since a test sees nothing else.
 */
import { spawn } from 'node:child_process'
import { appendFileSync, closeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { argv, env, exit, pid, stderr, stdin, stdout } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'

import { isObject, type JsonObject, type JsonValue } from '../../src/model/json.ts'
import {
  CHANGES,
  ECHO_TOOL,
  META,
  UPDATED,
  echoTool,
  follows,
  listened,
  pause,
  perform,
  type Exchange,
  type Script,
} from './script.ts'
import { WORK_TOOL, work } from './work.ts'

/** The one argument, as JSON. */
export interface StdioOptions extends Partial<Omit<Script, 'call'>> {
  /** Lines that are no JSON, on stdout before the first message. */
  banner?: string[]
  /** Such a line before every answer. */
  noise?: string
  /** A line on stderr at start and with every request. */
  chatter?: string
  /** What a legacy server does with the modern probe: -32601 (absent), exit with code 1, or nothing. */
  discover?: 'exit' | 'silent'
  /** Neither SIGTERM nor the end of stdin ends it. */
  stubborn?: boolean
  /** Starts a process of its own that outlives it unless somebody ends the whole tree; the tool `grandchild` tells its id. */
  grandchild?: boolean
  /** Exits with this code at once, after the banner. */
  exitAtStart?: number
  /** Nothing is read for so long. */
  slowStartMs?: number
  /** A file to which the tool `work` adds what it does. SIGUSR2 closes stdout. */
  notes?: string
}

const tool = (name: string, description: string, properties: JsonObject = {}): JsonObject => ({
  name,
  description,
  inputSchema: { type: 'object', properties },
})

const TOOLS: JsonObject[] = [
  ECHO_TOOL,
  tool('pid', 'Process id'),
  tool('grandchild', 'Process id of the grandchild'),
  tool('environment', 'The environment as JSON'),
  tool('counter', 'How often it was called in this process'),
  tool('slow', 'Takes `steps` times `delayMs`, with progress', {
    steps: { type: 'integer' },
    delayMs: { type: 'integer' },
  }),
  tool('cancelled', 'The request ids that were cancelled, as JSON'),
  WORK_TOOL,
  tool('crash', 'Exits with code 3 without an answer'),
  tool('update', 'Tells whoever follows the resource `uri` that it has changed', { uri: { type: 'string' } }),
  tool('followed', 'Whether the resource `uri` is followed in this process', { uri: { type: 'string' } }),
  tool('change', 'Adds a tool `late` to the list and tells whoever listens'),
]

const options = readOptions()
const script: Script = { name: 'stdio-fixture', era: 'both', tools: TOOLS, ...options, call }
const running = new Map<JsonValue, AbortController>()
const listening = new Map<JsonValue, JsonObject>()
const subscriptions = new Set<string>()
const cancelled: JsonValue[] = []
const asked = new Map<JsonValue | undefined, (response: JsonObject) => void>()
let questions = 0
let initialized = false
let counter = 0

const grandchild = options.grandchild
  ? spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
  : undefined

if (options.stubborn) {
  process.on('SIGTERM', () => undefined)
  setInterval(() => undefined, 60_000)
}
if (options.notes !== undefined) process.on('SIGUSR2', () => closeSync(1))
for (const line of options.banner ?? []) stdout.write(`${line}\n`)
if (options.chatter !== undefined) stderr.write(`${options.chatter}\n`)
if (options.exitAtStart !== undefined) exit(options.exitAtStart)
if (options.slowStartMs) await sleep(options.slowStartMs)

const lines = createInterface({ input: stdin })
lines.on('line', (line) => void receive(line))
lines.on('close', () => {
  if (!options.stubborn) exit(0)
})

function readOptions(): StdioOptions {
  const value: unknown = JSON.parse(argv[2] ?? '{}')
  if (!isObject(value)) throw new Error('the argument is not a JSON object')
  return value
}

async function receive(line: string): Promise<void> {
  const message: unknown = JSON.parse(line)
  if (!isObject(message)) return
  if (typeof message['method'] !== 'string') return asked.get(message['id'])?.(message)
  if (options.chatter !== undefined) stderr.write(`${options.chatter}: ${message['method']}\n`)
  const params = isObject(message['params']) ? message['params'] : {}
  const id = message['id']
  if (id === undefined || id === null) return note(message['method'], params)
  const meta = params['_meta']
  const era = isObject(meta) && META.version in meta ? 'modern' : 'legacy'
  await respond(era, message['method'], id, params)
}

function note(method: string, params: JsonObject): void {
  const id = params['requestId']
  if (method !== 'notifications/cancelled' || id === undefined) return
  cancelled.push(id)
  running.get(id)?.abort()
  listening.delete(id)
}

async function respond(era: 'legacy' | 'modern', method: string, id: JsonValue, params: JsonObject): Promise<void> {
  if (method === 'server/discover' && script.era === 'legacy') {
    if (options.discover === 'exit') exit(1)
    if (options.discover === 'silent') return
  }
  if (script.era === 'legacy' && (era === 'modern' || method === 'server/discover')) {
    return send({ id, error: { code: -32601, message: `Method not found: ${method}` } })
  }
  if (script.era === 'modern' && era === 'legacy') {
    return send({ id, error: { code: -32022, message: 'Unsupported protocol version', data: { supported: [] } } })
  }
  if (era === 'legacy' && !initialized && method !== 'initialize' && method !== 'ping') {
    return send({ id, error: { code: -32600, message: 'Not initialized' } })
  }
  if (method === 'initialize') initialized = true
  if (era === 'modern' && method === 'subscriptions/listen') return listen(id, params)
  const abort = new AbortController()
  running.set(id, abort)
  const notify = (method: string, params: JsonObject) => send({ method, params })
  const ask: Exchange['ask'] = (method, params) => {
    const id = `ask-${++questions}`
    return new Promise((resolve) => {
      asked.set(id, resolve)
      abort.signal.addEventListener('abort', () => resolve({}))
      send({ id, method, params })
    })
  }
  const answer = await perform(script, method, { era, params, subscriptions, notify, ask, signal: abort.signal })
  running.delete(id)
  if (answer !== undefined && !abort.signal.aborted) send({ ...answer, id })
}

function listen(id: JsonValue, params: JsonObject): void {
  const filter = listened(params)
  listening.set(id, filter)
  const acknowledged = { notifications: filter, _meta: { [META.subscription]: id } }
  send({ method: 'notifications/subscriptions/acknowledged', params: acknowledged })
}

async function call(name: string, args: JsonObject, exchange: Exchange): Promise<JsonObject> {
  switch (name) {
    case 'pid':
      return text(String(pid))
    case 'grandchild':
      return text(String(grandchild?.pid ?? 'none'))
    case 'environment':
      return text(JSON.stringify(env))
    case 'counter':
      return text(String(++counter))
    case 'cancelled':
      return text(JSON.stringify(cancelled))
    case 'slow':
      return slow(args, exchange)
    case 'work':
      return work(args, exchange, (what) => appendFileSync(options.notes!, `${pid} ${what}\n`))
    case 'crash':
      return exit(3)
    case 'update':
      update(args['uri'] as string)
      return text('updated')
    case 'followed': {
      const filters = [...listening.values()]
      const uri = args['uri'] as string
      return text(String(subscriptions.has(uri) || filters.some((filter) => follows(filter, uri))))
    }
    case 'change':
      change()
      return text('changed')
    default:
      return echoTool(name, args)
  }
}

async function slow(args: JsonObject, exchange: Exchange): Promise<JsonObject> {
  const steps = Number(args['steps'] ?? 3)
  const meta = exchange.params['_meta']
  const token = isObject(meta) ? meta['progressToken'] : undefined
  for (let step = 1; step <= steps && !exchange.signal.aborted; step++) {
    await pause(Number(args['delayMs'] ?? 50), exchange.signal)
    if (token === undefined || exchange.signal.aborted) continue
    exchange.notify('notifications/progress', { progressToken: token, progress: step, total: steps })
  }
  return text(`slept ${steps} times`)
}

function change(): void {
  script.tools = [...(script.tools ?? []), tool('late', 'Came later')]
  if (initialized) send({ method: CHANGES.tools.method })
  for (const [id, filter] of listening) {
    if (filter[CHANGES.tools.filter] !== true) continue
    send({ method: CHANGES.tools.method, params: { _meta: { [META.subscription]: id } } })
  }
}

function update(uri: string): void {
  if (subscriptions.has(uri)) send({ method: UPDATED, params: { uri } })
  for (const [id, filter] of listening) {
    if (follows(filter, uri)) send({ method: UPDATED, params: { uri, _meta: { [META.subscription]: id } } })
  }
}

function text(value: string): JsonObject {
  return { content: [{ type: 'text', text: value }] }
}

function send(message: JsonObject): void {
  if (options.noise !== undefined && message['id'] !== undefined) stdout.write(`${options.noise}\n`)
  stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
}
