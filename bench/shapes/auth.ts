import { fileURLToPath } from 'node:url'

import type { AuthCosts } from '../auth-cost.ts'
import {
  ARGUMENT_POLICIES,
  CACHED_POLICIES,
  LIMITS,
  oidcOf,
  PUBLIC_URL,
  startIssuer,
  type Issuer,
} from '../auth-world.ts'
import { openClient } from '../client.ts'
import { threadsCpuUs } from '../cpu.ts'
import { difference, figuresOf, median, note, ratio, type Figure, type Rounds } from '../figures.ts'
import { start } from '../processes.ts'
import { using, type Bench, type Shape } from '../shape.ts'
import { startBackend, startConfigured, type Backend, type Running, type SubjectName } from '../subjects.ts'

const NAME: SubjectName = 'vmcp'
const CONNECTIONS = 16
const BACKEND = 'b0'
/** Differences of a few microseconds need rounds that are many and short: the machine is another one every second. */
const SLICES = 8

interface Cell {
  name: string
  /** What its added cost is counted from: the first, unless another is named. */
  over?: string
  config: (issuer: Issuer) => Record<string, unknown>
}

const oidc = (issuer: Issuer, policies?: readonly string[]) => ({
  publicUrl: PUBLIC_URL,
  incomingAuth: {
    type: 'oidc',
    oidc: oidcOf(issuer),
    ...(policies && { authz: { type: 'cedar', policies } }),
  },
})

/** The first cell is the one that the others are compared with. */
const CELLS: readonly Cell[] = [
  { name: 'open', config: () => ({}) },
  { name: 'token', config: (issuer) => oidc(issuer) },
  { name: 'token, policies', config: (issuer) => oidc(issuer, CACHED_POLICIES) },
  {
    name: 'token, policies, limits',
    config: (issuer) => ({ ...oidc(issuer, CACHED_POLICIES), rateLimiting: LIMITS }),
  },
  { name: 'token, policies on arguments', config: (issuer) => oidc(issuer, ARGUMENT_POLICIES) },
  {
    name: 'token, exchanged',
    over: 'token',
    config: (issuer) => ({
      ...oidc(issuer),
      outgoingAuth: { backends: { [BACKEND]: { type: 'token_exchange', tokenExchange: exchangeAt(issuer) } } },
    }),
  },
]

const exchangeAt = ({ tokenUrl }: Issuer) => ({
  tokenUrl,
  clientId: 'gateway',
  clientSecret: 'of-the-benchmark',
  audience: 'bench',
})

export const auth: Shape = {
  name: 'auth',
  about: 'what tokens, policies, limits and exchanged credentials add to a call, and cost by themselves',
  async run(bench) {
    if (!bench.subjects.some(({ name }) => name === NAME)) return
    await bench.attempt('auth: their cost alone', () => alone(bench))
    await bench.attempt('auth: calls', () => calls(bench))
  },
}

/** One row per figure of the process that measures without HTTP: its cell and its name. */
const ALONE: Readonly<Record<keyof AuthCosts, readonly [cell: string, metric: string]>> = {
  authenticateUs: ['alone', 'authenticate us'],
  togetherUs: ['alone', 'together us'],
  argumentsUs: ['alone', 'by arguments us'],
  argumentsTogetherUs: ['alone', 'all by arguments us'],
  credentialUs: ['alone', 'credential us'],
  loadMs: ['1,000 policies x 1,000 tools', 'load ms'],
  loadBlockedMs: ['1,000 policies x 1,000 tools', 'load blocked ms'],
  listMs: ['1,000 policies x 1,000 tools', 'new class ms'],
  listBlockedMs: ['1,000 policies x 1,000 tools', 'blocked ms'],
  listBlockedWallMs: ['1,000 policies x 1,000 tools', 'blocked wall ms'],
  listKnownMs: ['1,000 policies x 1,000 tools', 'known ms'],
  listAlikeMs: ['1,000 policies x 1,000 tools', 'known class ms'],
}

async function alone({ effort }: Bench): Promise<Figure[]> {
  const worker = fileURLToPath(new URL('../auth-cost.ts', import.meta.url))
  const { line, stop } = await start([worker, JSON.stringify({ rounds: effort.rounds })], /^\{"/)
  await stop()
  const costs = JSON.parse(line) as AuthCosts
  return (Object.keys(ALONE) as (keyof AuthCosts)[]).map((key) => {
    const [cell, metric] = ALONE[key]
    return { shape: 'auth', cell, subject: NAME, metric, value: median(costs[key]), rounds: costs[key] }
  })
}

async function calls(bench: Bench): Promise<Figure[]> {
  const issuer = await startIssuer()
  const running: Running[] = []
  let backend: Backend
  const begin = [
    async () => issuer,
    async () => {
      backend = await startBackend([{ era: 'legacy', answer: 'json', tools: 2, count: 1 }])
      return backend
    },
    ...CELLS.map(({ config }) => async () => {
      const backends = [{ name: BACKEND, url: backend.urls[0] }]
      const one = await startConfigured('vmcp.yaml', { name: 'bench', backends, ...config(issuer) })
      running.push(one)
      return one
    }),
  ]
  return using(begin, async () => {
    const tokens = await Promise.all(Array.from({ length: CONNECTIONS }, (_, user) => issuer.tokenOf(user)))
    return compared(await measure(bench, running, tokens))
  })
}

/** Rounds of each cell. All gateways run at the same time. */
async function measure(bench: Bench, running: readonly Running[], tokens: string[]): Promise<Rounds[]> {
  const { effort, load, say } = bench
  for (const [index, { url }] of running.entries()) {
    const name = CELLS[index]!.name
    const tools = await (await openClient(url, 'legacy', tokens[0])).tools()
    if (!tools.includes('echo')) throw new Error(`${name}: there is no echo among ${tools.join(', ')}`)
    await load.open({ name, url, era: 'legacy', connections: CONNECTIONS, tools: ['echo'], tokens })
    await load.run({ name, ms: effort.warmMs, calls: Infinity })
  }
  const rounds: Rounds[] = running.map(() => new Map())
  for (let round = 0; round < effort.rounds * SLICES; round++) {
    if (round % SLICES === 0) say(`auth: rounds ${round + 1} to ${round + SLICES}`)
    for (const index of orderOf(round, running.length)) {
      const { pid = 0 } = running[index]!
      const cpu = threadsCpuUs(pid)
      const { calls, p50 } = await load.run({ name: CELLS[index]!.name, ms: effort.runMs / 8, calls: Infinity })
      note(rounds[index]!, NAME, { 'cpu us': (threadsCpuUs(pid) - cpu) / calls, 'p50 us': p50 })
    }
  }
  for (const { name } of CELLS) await load.close(name)
  return rounds
}

/** There and back, from another start each time: who comes first, and after whom, must not always be the same. */
function orderOf(round: number, count: number): number[] {
  const order = Array.from({ length: count }, (_, index) => (index + (round >> 1)) % count)
  return round % 2 ? order.reverse() : order
}

function compared(rounds: readonly Rounds[]): Figure[] {
  const cpuOf = (name: string) => rounds[CELLS.findIndex((cell) => cell.name === name)]?.get(NAME)?.['cpu us']
  return CELLS.flatMap(({ name, over = CELLS[0]!.name }, index) => {
    const row = rounds[index]?.get(NAME)
    const times = name === over ? undefined : ratio(row?.['cpu us'], cpuOf(over))
    const added = name === over ? undefined : difference(row?.['cpu us'], cpuOf(over))
    if (row && added && times) {
      row['cpu x without'] = times
      row['added us'] = added
      const middle = median(added)
      row['+- us'] = [median(added.map((value) => Math.abs(value - middle)))]
    }
    return figuresOf('auth', name, rounds[index] ?? new Map())
  })
}
