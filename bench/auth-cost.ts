/**
 * What authentication, policy, limits and credentials cost by themselves, without HTTP around them: the gateway's own
 * code in this process. `node bench/auth-cost.ts '{"rounds":5}'` prints one line of JSON, `AuthCosts`.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { argv, cpuUsage, stdout } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'

import { createAuthenticator, type Authenticator } from '../src/auth/inbound/authenticator.ts'
import { guardedFetch } from '../src/auth/net/guarded-fetch.ts'
import { createTokenEndpoints } from '../src/auth/outbound/token-endpoints.ts'
import { createTokenExchange } from '../src/auth/outbound/token-exchange.ts'
import { compilePolicies } from '../src/auth/policy/compile.ts'
import { decide } from '../src/auth/policy/decide.ts'
import { principalOf } from '../src/auth/policy/explain.ts'
import { targetOf } from '../src/auth/policy/request.ts'
import type { PolicySet } from '../src/auth/policy/set.ts'
import { compose } from '../src/gateway/compose.ts'
import { callerLimitLayer, toolLimitLayer } from '../src/gateway/layers/limits.ts'
import { MemoryBuckets } from '../src/gateway/limits/buckets.ts'
import { PolicyGate } from '../src/gateway/policy/gate.ts'
import {
  GATEWAY_CALLER,
  type Call,
  type Caller,
  type Context,
  type Core,
  type EntryCall,
  type Outcome,
} from '../src/model/call.ts'
import { Cancellation } from '../src/model/cancellation.ts'
import type { Catalogue, BackendEntry } from '../src/model/catalogue.ts'
import type { Credential } from '../src/model/credential.ts'
import type { BackendId, NativeName, ShownName } from '../src/model/ids.ts'
import type { Issuer as TrustedIssuer } from '../src/model/issuer.ts'
import type { Identified, Principal } from '../src/model/principal.ts'
import { Telemetry } from '../src/telemetry/events.ts'
import {
  ARGUMENT_POLICIES,
  CACHED_POLICIES,
  claimsOf,
  LARGE,
  largePolicies,
  PUBLIC_URL,
  startIssuer,
  type Issuer,
  toolName,
} from './auth-world.ts'

/** Of each round, in microseconds or milliseconds of CPU unless it is said otherwise. */
export interface AuthCosts {
  /** Authentication with a token that is known. */
  authenticateUs: number[]
  /** Authentication, a remembered decision by 20 policies, and four buckets. */
  togetherUs: number[]
  /** A decision by 20 policies that look at arguments. */
  argumentsUs: number[]
  /** The same with authentication and limits: still one decision. */
  argumentsTogetherUs: number[]
  /** What a backend is shown, when the exchanged token is known. */
  credentialUs: number[]
  /** What a class of principals sees that has not asked before: 1,000 policies, 1,000 tools. */
  listMs: number[]
  /** The longest time for which others did not get their turn meanwhile. */
  listBlockedMs: number[]
  /** The same by the clock of the wall, which also runs while other processes have the processor. */
  listBlockedWallMs: number[]
  listKnownMs: number[]
  /** The same for somebody new, or with a new token, of a class that is known. */
  listAlikeMs: number[]
  /** To read and check those policies, once; the engine's own start is part of it. */
  loadMs: number[]
  loadBlockedMs: number[]
}

const USERS = 100
const TOOL = 'echo'
const text = (n: number): string => `text-${100_000_000 + n}`

const cpuUs = (): number => {
  const { user, system } = cpuUsage()
  return user + system
}

function threadMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

const entryOf = (shown: string, backend: string, hints: Record<string, boolean> = {}): BackendEntry => ({
  shown: shown as ShownName,
  route: { kind: 'backend', backend: backend as BackendId, native: shown as NativeName },
  visibility: 'listed',
  definition: { name: shown, annotations: hints },
})

async function policiesOf(policies: readonly string[]): Promise<PolicySet> {
  const { set, faults } = await compilePolicies({ policies, serverName: 'vmcp' }, () => undefined)
  if (!set || faults.length > 0) throw new Error(`policies: ${JSON.stringify(faults)}`)
  return set
}

const DONE: Outcome = { kind: 'result', value: {}, era: 'modern' }
const nobody = () => Promise.reject(new Error('not measured'))
const PARTS: Pick<Core, 'catalogue' | 'watch' | 'watchTasks' | 'follow'> = {
  catalogue: nobody,
  watch: () => () => {},
  watchTasks: nobody,
  follow: nobody,
}

/** A call as the gateway composes it, with nothing behind the decision. */
async function guardedCore(entry: BackendEntry, policies: readonly string[]): Promise<Core> {
  const gate = new PolicyGate(await policiesOf(policies), new Telemetry())
  const entries = new Map<string, BackendEntry>([[entry.shown, entry]])
  const find = (call: Call) => (call.kind === 'tool' ? entries.get(call.name) : undefined)
  const bucket = { maxTokens: 1_000_000_000, refillMs: 1_000 }
  const both = { shared: bucket, perUser: bucket }
  const limits = { ...both, tools: new Map([[entry.shown, both]]) }
  const buckets = new MemoryBuckets()
  const inner: Core = {
    ...PARTS,
    async invoke(call, context) {
      const found = find(call)
      if (!found || call.kind !== 'tool') throw new Error('there is no such tool')
      gate.check(found, call, context)
      return DONE
    },
  }
  const has = (call: EntryCall, caller: Caller) => {
    const found = find(call)
    return found !== undefined && gate.allows(found, call, caller)
  }
  return compose(inner, [
    callerLimitLayer(limits, buckets, () => false),
    toolLimitLayer(limits, buckets, () => false, has),
  ])
}

interface Visitor {
  authorization: string
  principal: Identified
}

async function visitorsOf(authenticator: Authenticator, issuer: Issuer): Promise<Visitor[]> {
  const visitors: Visitor[] = []
  for (let user = 0; user < USERS; user++) {
    const authorization = `Bearer ${await issuer.tokenOf(user)}`
    const principal = await authenticator.authenticate(authorization)
    if (principal.kind === 'anonymous') throw new Error('nobody was identified')
    visitors.push({ authorization, principal })
  }
  return visitors
}

async function exchangedFor(visitors: readonly Visitor[], { tokenUrl }: Issuer): Promise<Credential> {
  const subjectTokenType = 'urn:ietf:params:oauth:token-type:access_token'
  const credential = createTokenExchange(
    { kind: 'token_exchange', tokenUrl, scopes: [], subjectTokenType },
    { endpoints: createTokenEndpoints({ fetch: guardedFetch, now: Date.now }), now: Date.now },
  )
  for (const { principal } of visitors) await credential.headers(principal)
  return credential
}

/** So many times, from a different visitor each. Microseconds of CPU of one. */
async function costOf(
  times: number,
  visitors: readonly Visitor[],
  work: (visitor: Visitor, n: number) => unknown,
): Promise<number> {
  const before = cpuUs()
  for (let n = 0; n < times; n++) {
    const done = work(visitors[n % visitors.length]!, n)
    if (done instanceof Promise) await done
  }
  return (cpuUs() - before) / times
}

/** A thousand tools, of which every other says that it only reads. */
function largeCatalogue(): Catalogue {
  const tools = new Map<string, BackendEntry>()
  for (let backend = 0; backend < LARGE.backends; backend++) {
    for (let tool = 0; tool < LARGE.toolsEach; tool++) {
      const name = toolName(backend, tool)
      tools.set(name, entryOf(name, `b${backend}`, { readOnlyHint: tool % 2 === 0, destructiveHint: tool % 7 === 0 }))
    }
  }
  const none = new Map<string, BackendEntry>()
  return { version: 1, tools, prompts: none, resources: none, templates: none, conflicts: [], notes: [] }
}

/** The longest stretch of CPU between two turns of the event loop, from now until it is asked for. */
function watchTurns(): () => number {
  let longest = 0
  let last = threadMs()
  let next: NodeJS.Immediate | undefined
  const turn = () => {
    const now = threadMs()
    longest = Math.max(longest, now - last)
    last = now
    next = setImmediate(turn)
  }
  turn()
  return () => {
    clearImmediate(next)
    return longest
  }
}

interface Listing {
  newMs: number
  blockedMs: number
  blockedWallMs: number
  knownMs: number
  alikeMs: number
  seen: number
}

async function list(gate: PolicyGate, catalogue: Catalogue, principal: Principal): Promise<Listing> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  await sleep(20)
  delay.reset()
  const blocked = watchTurns()
  const before = cpuUs()
  const { tools } = await gate.view(catalogue, principal)
  const newMs = (cpuUs() - before) / 1000
  // The last stretch counts when the next turn comes.
  await sleep(5)
  const blockedMs = blocked()
  delay.disable()
  const known = cpuUs()
  for (let n = 0; n < 100; n++) await gate.view(catalogue, principal)
  const knownMs = (cpuUs() - known) / 100_000
  const others = Array.from({ length: 100 }, () => ({ ...principal }))
  const alike = cpuUs()
  for (const other of others) await gate.view(catalogue, other)
  const alikeMs = (cpuUs() - alike) / 100_000
  return { newMs, blockedMs, blockedWallMs: delay.max / 1e6, knownMs, alikeMs, seen: tools.size }
}

const trusted = ({ url, jwksUrl }: Issuer): TrustedIssuer => ({
  name: url,
  audiences: [PUBLIC_URL],
  scopes: [],
  requiredScopes: [],
  subjectPrefix: '',
  jwksUrl,
  allowHttp: true,
  allowPrivate: true,
})

async function measure(rounds: number): Promise<AuthCosts> {
  const issuer = await startIssuer()
  const incomingAuth = { type: 'oidc' as const, issuers: [trusted(issuer)] }
  const authenticator = createAuthenticator({ name: 'vmcp', publicUrl: PUBLIC_URL, incomingAuth })
  const visitors = await visitorsOf(authenticator, issuer)
  const credential = await exchangedFor(visitors, issuer)
  const entry = entryOf(TOOL, 'b0')
  const remembering = await guardedCore(entry, CACHED_POLICIES)
  const deciding = await guardedCore(entry, ARGUMENT_POLICIES)
  const target = targetOf('tool', entry)
  const byArguments = await policiesOf(ARGUMENT_POLICIES)
  const large = largePolicies()
  const catalogue = largeCatalogue()
  const loading = cpuUs()
  const loadBlocked = watchTurns()
  const gate = new PolicyGate(await policiesOf(large), new Telemetry())
  const loadMs = [(cpuUs() - loading) / 1000]
  const costs: AuthCosts = {
    authenticateUs: [],
    togetherUs: [],
    argumentsUs: [],
    argumentsTogetherUs: [],
    credentialUs: [],
    listMs: [],
    listBlockedMs: [],
    listBlockedWallMs: [],
    listKnownMs: [],
    listAlikeMs: [],
    loadMs,
    loadBlockedMs: [loadBlocked()],
  }
  const context: Context = {
    ...GATEWAY_CALLER,
    signal: new Cancellation(),
    deadline: undefined,
    streaming: false,
    emit: undefined,
    ask: undefined,
    header: undefined,
  }
  const throughAll =
    (core: Core) =>
    ({ authorization }: Visitor, n: number) => {
      const principal = authenticator.authenticate(authorization)
      if (principal instanceof Promise) throw new Error('the token is not known')
      const params = { name: TOOL, arguments: { text: text(n) } }
      return core.invoke({ kind: 'tool', name: TOOL, params }, { ...context, principal })
    }
  const byArgument = ({ principal }: Visitor, n: number) => {
    const { kind } = decide(byArguments, { principal, target, origin: 'client', arguments: { text: text(n) } })
    if (kind !== 'allow') throw new Error('the call is denied')
  }
  // One round more, the first, is for warming up.
  for (let round = 0; round <= rounds; round++) {
    const authenticateUs = await costOf(20_000, visitors, ({ authorization }) =>
      authenticator.authenticate(authorization),
    )
    const togetherUs = await costOf(20_000, visitors, throughAll(remembering))
    const argumentsUs = await costOf(1_000, visitors, byArgument)
    const argumentsTogetherUs = await costOf(1_000, visitors, throughAll(deciding))
    const credentialUs = await costOf(20_000, visitors, ({ principal }) => credential.headers(principal))
    // No decision for another class serves for this one.
    const department = `department-${round % 4}-${round}`
    const person = principalOf({ ...claimsOf(round), department, email: `class-${round}@mcp.example` })
    const { newMs, blockedMs, blockedWallMs, knownMs, alikeMs, seen } = await list(gate, catalogue, person)
    if (seen === 0 || seen === catalogue.tools.size) throw new Error(`${seen} tools are listed`)
    if (round === 0) continue
    costs.authenticateUs.push(authenticateUs)
    costs.togetherUs.push(togetherUs)
    costs.argumentsUs.push(argumentsUs)
    costs.argumentsTogetherUs.push(argumentsTogetherUs)
    costs.credentialUs.push(credentialUs)
    costs.listMs.push(newMs)
    costs.listBlockedMs.push(blockedMs)
    costs.listBlockedWallMs.push(blockedWallMs)
    costs.listKnownMs.push(knownMs)
    costs.listAlikeMs.push(alikeMs)
  }
  authenticator.close()
  await issuer.stop()
  return costs
}

const { rounds } = JSON.parse(argv[2] ?? '{"rounds":5}') as { rounds: number }
stdout.write(`${JSON.stringify(await measure(rounds))}\n`)
process.exit(0)
