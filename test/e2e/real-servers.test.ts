import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { JsonObject } from '../../src/model/json.ts'
import { connectHttp, connectStdio, type ClientKind, type Peer } from '../support/clients.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { answerTo, comparable, offerOf, prefixed, unprefixed, type Offer, type Probe } from '../support/offer.ts'
import { waitFor } from '../support/processes.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const script = (name: string) => join(ROOT, `node_modules/@modelcontextprotocol/server-${name}/dist/index.js`)

const folder = mkdtempSync(join(tmpdir(), 'vmcp-real-'))
const memory = join(folder, 'memory.jsonl')
writeFileSync(join(folder, 'note.txt'), 'first line\nsecond line\n')
writeFileSync(
  memory,
  [
    { type: 'entity', name: 'Ada', entityType: 'person', observations: ['wrote the first program'] },
    { type: 'entity', name: 'Engine', entityType: 'machine', observations: [] },
    { type: 'relation', from: 'Ada', to: 'Engine', relationType: 'programmed' },
  ]
    .map((line) => JSON.stringify(line))
    .join('\n'),
)

const EVERYTHING: Probe[] = [
  { tool: 'echo', arguments: { message: 'ünïcode \u2028 "quoted"' } },
  { tool: 'echo', arguments: { message: 42 } },
  { tool: 'get-sum', arguments: { a: 0.1, b: 0.2 } },
  { tool: 'get-annotated-message', arguments: { messageType: 'error', includeImage: true } },
  { tool: 'get-resource-links', arguments: { count: 3 } },
  { tool: 'get-structured-content', arguments: { location: 'New York' } },
  { tool: 'get-tiny-image' },
  { resource: 'demo://resource/static/document/features.md' },
  { prompt: 'simple-prompt' },
  { prompt: 'args-prompt', arguments: { city: 'Paris', state: 'Texas' } },
  { prompt: 'completable-prompt', arguments: { department: 'Engineering', name: 'Alice' } },
]

interface Server {
  args: string[]
  env?: Record<string, string>
  /** Nothing here may change what a later client sees. */
  probes: Probe[]
}

const STDIO: Record<string, Server> = {
  everything: { args: [script('everything'), 'stdio'], probes: EVERYTHING },
  filesystem: {
    args: [script('filesystem'), folder],
    probes: [
      { tool: 'list_allowed_directories' },
      { tool: 'list_directory', arguments: { path: folder } },
      { tool: 'read_text_file', arguments: { path: join(folder, 'note.txt'), head: 1 } },
      { tool: 'read_text_file', arguments: { path: '/' } },
      { tool: 'read_text_file', arguments: {} },
      { tool: 'directory_tree', arguments: { path: folder } },
    ],
  },
  memory: {
    args: [script('memory')],
    env: { MEMORY_FILE_PATH: memory },
    probes: [
      { tool: 'read_graph' },
      { tool: 'search_nodes', arguments: { query: 'program' } },
      { tool: 'open_nodes', arguments: { names: ['Engine', 'nobody'] } },
      { resource: 'memory://knowledge-graph' },
    ],
  },
  thinking: {
    args: [script('sequential-thinking')],
    probes: [
      {
        tool: 'sequentialthinking',
        arguments: { thought: 'why', nextThoughtNeeded: false, thoughtNumber: 1, totalThoughts: 1 },
      },
    ],
  },
}

/** What a server says to a client of its own. */
interface Direct {
  prefix: string
  offer: Offer
  answers: { probe: Probe; answer: Awaited<ReturnType<typeof answerTo>> }[]
}

const open: (() => unknown)[] = []
let remoteUrl: string
let gateway: TestGateway
const direct: Record<string, Direct> = {}

beforeAll(async () => {
  remoteUrl = await startRemote()
  gateway = await startGateway({
    backends: [
      { name: 'remote', url: remoteUrl },
      ...Object.entries(STDIO).map(([name, { args, env = {} }]) => ({ name, command: process.execPath, args, env })),
    ],
  })
  open.push(() => gateway.close())
  direct['remote'] = await directly('remote', connectHttp('SDK v1, legacy', remoteUrl), EVERYTHING)
  for (const [name, { args, env = {}, probes }] of Object.entries(STDIO)) {
    direct[name] = await directly(name, connectStdio('SDK v1, legacy', args, undefined, { env }), probes)
  }
  await waitFor(() => gateway.gateway.current.keeper.pending === 0, 20_000, 'an answer of every backend')
})

afterAll(async () => {
  for (const close of open.splice(0).reverse()) await close()
  rmSync(folder, { recursive: true })
})

async function directly(name: string, connecting: Promise<Peer>, probes: Probe[]): Promise<Direct> {
  const peer = await connecting
  try {
    const offer = await offerOf(peer, true)
    const answers: Direct['answers'] = []
    for (const probe of probes) answers.push({ probe, answer: await answerTo(peer, probe) })
    return { prefix: `${name}_`, offer, answers }
  } finally {
    await peer.close()
  }
}

/** The everything server as a streamable HTTP server; its port is fixed at start. */
async function startRemote(): Promise<string> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  const child = spawn(process.execPath, [script('everything'), 'streamableHttp'], {
    stdio: 'ignore',
    env: { ...process.env, PORT: String(port) },
  })
  open.push(() => child.kill('SIGKILL'))
  const url = `http://127.0.0.1:${port}/mcp`
  const answers = () =>
    fetch(url).then(
      () => true,
      () => false,
    )
  await waitFor(answers, 15_000, 'the HTTP server')
  return url
}

describe.each(['SDK v1, legacy', 'SDK v2, legacy', 'SDK v2, modern'] as const)('%s', (kind: ClientKind) => {
  let peer: Peer
  let offer: Offer
  beforeAll(async () => {
    peer = await connectHttp(kind, gateway.url)
    offer = await offerOf(peer)
  })
  afterAll(() => peer.close())

  test.each(['remote', ...Object.keys(STDIO)])(
    '%s: lists and answers equal those of the server itself',
    async (name) => {
      const { prefix, offer: own, answers } = direct[name]!
      expect(own.tools.size).toBeGreaterThan(0)
      expect(unprefixed(prefix, offer.tools)).toEqual(peer.era === 'modern' ? withoutTasks(own.tools) : own.tools)
      expect(unprefixed(prefix, offer.prompts)).toEqual(own.prompts)
      for (const [uri, entry] of own.resources) expect(offer.resources.get(uri)).toEqual(entry)
      for (const [uri, entry] of own.templates) expect(offer.templates.get(uri)).toEqual(entry)
      for (const { probe, answer } of answers) {
        expect({ probe, answer: await answerTo(peer, prefixed(prefix, probe)) }).toEqual({ probe, answer })
      }
    },
  )

  test('the catalogue is the sum of the servers', () => {
    const owns = Object.values(direct).map(({ offer }) => offer)
    const sum = (kind: 'tools' | 'prompts') => owns.reduce((total, own) => total + own[kind].size, 0)
    const union = (kind: 'resources' | 'templates') => new Set(owns.flatMap((own) => [...own[kind].keys()]))
    expect(offer.tools.size).toBe(sum('tools'))
    expect(offer.prompts.size).toBe(sum('prompts'))
    expect(new Set(offer.resources.keys())).toEqual(union('resources'))
    expect(new Set(offer.templates.keys())).toEqual(union('templates'))
    for (const name of offer.tools.keys()) expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/)
  })
})

describe('the inspector', () => {
  const REQUESTS: Record<string, string[]> = {
    'tools/list': [],
    'tools/call': ['--tool-name', 'echo', '--tool-arg', 'message=hello there'],
    'resources/read': ['--uri', 'demo://resource/static/document/features.md'],
    'prompts/get': ['--prompt-name', 'args-prompt', '--prompt-args', 'city=Paris'],
  }
  let alone: TestGateway
  beforeAll(async () => {
    // A single backend has no prefix: what the inspector prints is comparable as it is.
    alone = await startGateway({ backends: [{ name: 'remote', url: remoteUrl }] })
    open.push(() => alone.close())
  })

  test.each(Object.keys(REQUESTS))('%s prints the same with and without the gateway', async (method) => {
    const args = REQUESTS[method]!
    const own = await inspect(remoteUrl, 'legacy', method, args)
    expect(JSON.stringify(own).length).toBeGreaterThan(20)
    const [legacy, modern] = await Promise.all([
      inspect(alone.url, 'legacy', method, args),
      inspect(alone.url, 'modern', method, args),
    ])
    expect(comparable(legacy)).toEqual(comparable(own))
    expect(comparable(modern)).toEqual(comparable(mapTools(own, withoutExecution)))
  })
})

/** Core tasks of 2025-11-25 mean nothing to a modern client (docs/reference/protocol.md). */
function withoutTasks(tools: Map<string, JsonObject>): Map<string, JsonObject> {
  return new Map([...tools].map(([name, tool]) => [name, { ...tool, execution: undefined }]))
}

/** A member of 2025-11-25 that the inspector drops when it speaks 2026-07-28. */
const withoutExecution = (tool: JsonObject) => [{ ...tool, execution: undefined }]

function mapTools(result: JsonObject, change: (tool: JsonObject) => object[]): JsonObject {
  const { tools } = result as { tools?: JsonObject[] }
  return tools ? { ...result, tools: tools.flatMap(change) as JsonObject[] } : result
}

async function inspect(url: string, era: string, method: string, args: string[]): Promise<JsonObject> {
  const bin = join(ROOT, 'node_modules/.bin/mcp-inspector')
  const command = [bin, '--cli', url, '--protocol-era', era, '--method', method, ...args, '-q', '--format', 'json']
  const child = spawn(process.execPath, command, { env: { ...process.env, HOME: folder } })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`the inspector exited with ${code}: ${stderr}${stdout}`)
  return (JSON.parse(stdout) as { result: JsonObject }).result
}
