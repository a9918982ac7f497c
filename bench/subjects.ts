import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import type { Listener, Stats } from './backend.ts'
import type { Era } from './client.ts'
import { start, type Started } from './processes.ts'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const GATEWAY = here('../dist/cli/main.js')
const ENDPOINT = /https?:\/\/[^\s"]+\/mcp/

export type SubjectName = 'direct' | 'bare' | 'sdk' | 'npm' | 'vmcp'

/** Something that is measured: the gateway, or what it is compared with. */
export interface Subject {
  name: SubjectName
  about: string
  /** Whether it serves this client in front of that backend. */
  serves: (client: Era, backend: Era) => boolean
  /** Serves many backends at one endpoint. */
  merges: boolean
  start: (backends: string[], era: Era) => Promise<Running>
}

export interface Running {
  url: string
  /** Of the tree whose CPU and memory count. Absent: nothing stands before the backend. */
  pid: number | undefined
  startMs: number
  stop: () => Promise<void>
}

export const SUBJECTS: readonly Subject[] = [
  {
    name: 'direct',
    about: 'the backend itself',
    serves: (client, backend) => client === backend,
    merges: false,
    start: async ([url]) => ({ url: url!, pid: undefined, startMs: 0, stop: async () => undefined }),
  },
  {
    name: 'bare',
    about: 'bare node:http + undici dispatch proxy: the floor',
    serves: (client, backend) => client === backend,
    merges: false,
    start: ([url]) => startNode([here('baselines/bare-proxy.ts'), url!]),
  },
  {
    name: 'sdk',
    about: 'relay on the official SDK v1, a session per connection, JSON answers',
    serves: (client, backend) => client === 'legacy' && backend === 'legacy',
    merges: false,
    start: ([url]) => startNode([here('baselines/sdk-relay.ts'), url!]),
  },
  {
    name: 'npm',
    about: 'mcp-proxy from npm as a library (its command bridges stdio only), one upstream client for all',
    serves: () => true,
    merges: false,
    start: ([url], era) => startNode([here('baselines/mcp-proxy.ts'), url!, era]),
  },
  {
    name: 'vmcp',
    about: 'this gateway',
    serves: () => true,
    merges: true,
    start: startGateway,
  },
]

/** What has to be there before the gateway can be measured; undefined when it is. */
export function gatewayMissing(): string | undefined {
  return existsSync(GATEWAY) ? undefined : 'dist/cli/main.js is missing: run `npm run build` first'
}

async function startNode(args: string[]): Promise<Running> {
  return running(await start(args, ENDPOINT))
}

function startGateway(backends: string[]): Promise<Running> {
  const mcpServers = Object.fromEntries(backends.map((url, index) => [`b${index}`, { type: 'http', url }]))
  return startConfigured('mcp.json', { mcpServers })
}

/** The gateway with this configuration; the name of its file tells the dialect. */
export async function startConfigured(name: string, config: object): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), 'vmcp-bench-'))
  try {
    const file = join(folder, name)
    writeFileSync(file, JSON.stringify(config))
    const gateway = running(await start([GATEWAY, 'serve', file, '--port', '0'], ENDPOINT))
    return {
      ...gateway,
      async stop() {
        await gateway.stop()
        rmSync(folder, { recursive: true, force: true })
      },
    }
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
}

function running({ pid, line, ms, stop }: Started): Running {
  return { url: ENDPOINT.exec(line)?.[0] ?? '', pid, startMs: ms, stop }
}

export interface Backend {
  pid: number
  /** One per port, in the order of the listeners. */
  urls: string[]
  stats(): Promise<Stats>
  stop: () => Promise<void>
}

export async function startBackend(listeners: Listener[]): Promise<Backend> {
  const { pid, line, stop } = await start([here('backend.ts'), JSON.stringify(listeners)], /^\{"urls"/)
  const { urls, stats } = JSON.parse(line) as { urls: string[]; stats: string }
  return { pid, urls, stop, stats: async () => (await fetch(stats)).json() as Promise<Stats> }
}
