import { lookup } from 'node:dns/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { createAuthenticator } from '../../src/auth/inbound/authenticator.ts'
import { guardedFetch } from '../../src/auth/net/guarded-fetch.ts'
import { compilePolicies } from '../../src/auth/policy/compile.ts'
import { decide } from '../../src/auth/policy/decide.ts'
import type { PolicyRequest } from '../../src/auth/policy/request.ts'
import type { GatewayError } from '../../src/model/errors.ts'
import { ANONYMOUS } from '../../src/model/principal.ts'
import { Secret } from '../../src/model/secret.ts'
import { didYouMean } from '../../src/model/nearest.ts'
import { isObject, type JsonObject } from '../../src/model/json.ts'
import { messageOf, openRaw, requestBytes, type RawResponse } from '../support/raw-http.ts'
import { issuerOf } from '../support/oidc/issuer.ts'
import { signingKey } from '../support/oidc/signing.ts'
import { ADDRESSES, type AddressAttack } from './attacks/addresses.ts'
import { BODIES } from './attacks/bodies.ts'
import { COMPLEXITY } from './attacks/complexity.ts'
import { HEADERS } from './attacks/headers.ts'
import { HOSTS_AND_ORIGINS } from './attacks/hosts.ts'
import { POLICIES } from './attacks/policies.ts'
import { type Attack, type Expected, type Shot } from './attacks/row.ts'
import { callWith, legacy, modern, request } from './attacks/shots.ts'
import { SEALED } from './attacks/sealed.ts'
import { SESSIONS } from './attacks/sessions.ts'
import { TOKENS } from './attacks/tokens.ts'
import { startTrap, type Trap } from './attacks/trap.ts'
import { CLIENT_SECRET, RESOURCE, startWorld, type World } from './attacks/world.ts'

/** For one shot, from the first byte to the last, and for what may go on in this process without a pause meanwhile. */
const WITHIN_MS = 2000
const BLOCKED_MS = 200
/** What may be held after everything, over what was held before. */
const GROWTH_BYTES = 150 * 1024 * 1024

let world: World
let before = 0
/** Everything that was answered. */
const answers: string[] = []

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

beforeAll(async () => {
  world = await startWorld()
  collect()
  before = process.memoryUsage().heapUsed
})
afterAll(() => world.close())

/** What reaches backends on behalf of a client, and nothing of what the gateway itself asks them. */
const EFFECTS = new Set([
  'tools/call',
  'prompts/get',
  'resources/read',
  'resources/subscribe',
  'completion/complete',
  'tasks/get',
  'tasks/cancel',
  'tasks/update',
  'tasks/result',
])
const effects = () =>
  world.backends.flatMap(({ requests }) => requests.filter(({ method }) => method !== undefined && EFFECTS.has(method)))

interface Fired {
  answer: RawResponse | undefined
  closed: boolean
  ms: number
  blockedMs: number
}

async function fire(shot: Shot, closes: boolean): Promise<Fired> {
  const bytes = 'bytes' in shot ? Buffer.from(shot.bytes, 'latin1') : requestBytes(shot)
  for (const [, token = ''] of bytes.toString('latin1', 0, 20_000).matchAll(/Bearer "?([\w.~+/-]{20,})/gu)) {
    world.secrets.add(token)
  }
  const connection = await openRaw(world.port)
  const pauses = heartbeat()
  const cpu = process.cpuUsage()
  const started = performance.now()
  connection.write(bytes)
  const answer = await connection.next().catch(() => undefined)
  const ms = performance.now() - started
  const longest = pauses()
  const { user, system } = process.cpuUsage(cpu)
  // A machine that is busy elsewhere stalls us as well: only what we have worked ourselves counts.
  const blockedMs = Math.min(longest, (user + system) / 1000)
  const closed = closes && (await Promise.race([connection.closed.then(() => true), sleep(2000, false)]))
  connection.socket.destroy()
  if (answer) answers.push(JSON.stringify(answer))
  return { answer, closed, ms, blockedMs }
}

/** Begins to watch; the longest pause of the event loop until the returned function is called, in milliseconds. */
function heartbeat(): () => number {
  let last = performance.now()
  let longest = 0
  const beat = () => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
  }
  const timer = setInterval(beat, 2)
  return () => {
    clearInterval(timer)
    beat()
    return longest
  }
}

function check({ answer, closed, ms, blockedMs }: Fired, expected: Expected, withinMs: number): void {
  const { status, code, challenge, text, lacks, closes } = expected
  if (status === 'cut') expect(answer).toBeUndefined()
  else {
    expect([status].flat(), JSON.stringify(answer)?.slice(0, 500)).toContain(answer?.status)
    if (challenge === null) expect(answer?.headers['www-authenticate']).toBeUndefined()
    else if (challenge) expect(answer?.headers['www-authenticate']).toMatch(challenge)
    if (text) expect(answer?.body.slice(0, 2000)).toMatch(text)
    if (lacks !== undefined) expect(answer?.headers).not.toHaveProperty(lacks)
    if (code !== undefined) expect(errorOf(answer)?.['code'], answer?.body.slice(0, 500)).toBe(code)
    if (closes) expect(closed).toBe(true)
  }
  expect(ms).toBeLessThan(withinMs)
  expect(blockedMs, 'the event loop was blocked').toBeLessThan(BLOCKED_MS)
}

function errorOf(answer: RawResponse | undefined): JsonObject | undefined {
  const error = answer && messageOf(answer)['error']
  return isObject(error) ? error : undefined
}

const FAMILIES: Record<string, readonly Attack[]> = {
  tokens: TOKENS,
  sessions: SESSIONS,
  sealed: SEALED,
  headers: HEADERS,
  'hosts and origins': HOSTS_AND_ORIGINS,
  bodies: BODIES,
  complexity: COMPLEXITY,
}

describe.each(Object.entries(FAMILIES))('%s', (_family, attacks) => {
  for (const attack of attacks) (attack.owed === undefined ? test : test.fails)(attack.name, () => play(attack))
})

async function play(attack: Attack): Promise<void> {
  const { expect: expected, withinMs = WITHIN_MS } = attack
  const sent = await attack.send(world)
  const shots: readonly Shot[] = Array.isArray(sent) ? sent : [sent as Shot]
  for (const shot of shots) {
    const earlier = new Set(effects())
    const fired = await fire(shot, expected.closes === true)
    check(fired, expected, withinMs)
    const { received, like } = expected
    const arrived = effects().filter((one) => !earlier.has(one))
    if (received === undefined) expect(arrived).toEqual([])
    else if (received !== 'anything') expect(arrived.map(({ body }) => argumentsOf(body))).toEqual([received])
    if (like) {
      const other = await fire(like(world), false)
      expect(fired.answer && { ...fired.answer, headers: 0 }).toEqual(other.answer && { ...other.answer, headers: 0 })
    }
  }
}

function argumentsOf(body: JsonObject | undefined): unknown {
  return isObject(body?.['params']) ? body['params']['arguments'] : undefined
}

describe('addresses', () => {
  let trap: Trap
  beforeAll(async () => {
    trap = await startTrap()
  })
  afterAll(() => trap.close())

  test.concurrent.each(ADDRESSES.map((row) => [row.name, row] as const))('%s', async (_name, row) => {
    const why = await whyRefused(row, trap)
    expect(why.text, why.text).toMatch(WHY[row.why])
    expect(why.ms).toBeLessThan(row.withinMs ?? WITHIN_MS)
    expect(trap.canary).toEqual([])
  })
})

/** What the log says of each reason. */
const WHY: Record<AddressAttack['why'], RegExp> = {
  url: /is not allowed, only https|is not a URL|credentials in a URL/u,
  address: /leads to an address that is not allowed/u,
  unreachable: /cannot be reached|has no address/u,
  timeout: /did not answer in time/u,
  redirect: /redirects/u,
  size: /sent more than/u,
  answer: /compressed answer unasked|is not JSON|was answered with status/u,
}

/** Shows a token of an issuer whose documents lead where the row says. */
async function whyRefused(row: AddressAttack, trap: Trap): Promise<{ text: string; ms: number }> {
  const leads = row.leads.replace('CANARY', String(trap.canaryPort)).replace('TRAP', String(trap.port))
  const issuer = row.of === 'discovery' ? leads : 'https://issuer.example'
  const found = [...(row.resolves ?? [])]
  const resolve = async (host: string) => {
    const addresses = found.shift()
    if (!addresses) return lookup(host, { all: true })
    return addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
  }
  const member = row.of === 'introspection' ? 'introspection_endpoint' : 'jwks_uri'
  const document = { status: 200, headers: {}, text: JSON.stringify({ issuer, [member]: leads }) }
  const authenticator = createAuthenticator(
    {
      name: 'srv',
      publicUrl: RESOURCE,
      incomingAuth: {
        type: 'oidc',
        issuers: [
          issuerOf(issuer, {
            audiences: [RESOURCE],
            allowHttp: row.development ?? false,
            allowPrivate: row.development ?? false,
            clientId: 'gateway',
            clientSecret: new Secret(CLIENT_SECRET),
          }),
        ],
      },
    },
    {
      fetch: async (url, options) =>
        row.of !== 'discovery' && url === `${issuer}/.well-known/openid-configuration`
          ? document
          : guardedFetch(url, { ...options, resolve }),
    },
  )
  const key = await signingKey('ES256')
  const claims = { iss: issuer, sub: 'x', aud: RESOURCE, exp: Math.floor(Date.now() / 1000) + 60 }
  const token = row.of === 'introspection' ? 'opaque' : await key.mint(claims)
  const started = performance.now()
  try {
    const failure = await Promise.resolve(authenticator.authenticate(`Bearer ${token}`)).catch(
      (error: unknown) => error,
    )
    expect(failure).toMatchObject({ code: 'ISSUER_UNREACHABLE' })
    return { text: (failure as GatewayError).detail ?? '', ms: performance.now() - started }
  } finally {
    authenticator.close()
  }
}

describe('policies', () => {
  test.each(POLICIES.map((row) => [row.name, row] as const))(
    '%s',
    async (_name, { policies, fault, withinMs = 2000 }) => {
      const settings = { serverName: 'srv', group: undefined }
      const started = performance.now()
      const { set, faults } = await compilePolicies({ ...settings, policies: policies() }, didYouMean)
      const errors = faults.filter(({ severity }) => severity === 'error').map(({ message }) => message)
      if (fault) expect(errors.join()).toMatch(fault)
      else expect(errors).toEqual([])
      if (set) decide(set, QUESTION)
      expect(performance.now() - started).toBeLessThan(withinMs)
      // Whatever it was, the next one is read and asked as if nothing had been.
      const next = await compilePolicies(
        { ...settings, policies: ['permit(principal, action, resource);'] },
        didYouMean,
      )
      expect(decide(next.set!, QUESTION).kind).toBe('allow')
    },
  )
})

const QUESTION: PolicyRequest = {
  principal: ANONYMOUS,
  target: { kind: 'tool', name: `${'a'.repeat(9999)}b`, backend: 'one' },
  arguments: { text: 'a' },
  origin: 'client',
}

describe('after all of this', () => {
  test('what belongs to Alice is still hers', async () => {
    const { alice, session, task, cursor, parked } = world
    const still = async (shot: Shot) => (await fire(shot, false)).answer?.body
    expect(await still(legacy(alice, session, request('tools/list')))).toContain('"tools":[')
    expect(await still(modern(alice, 'tasks/get', { taskId: task }))).toContain('"status":"working"')
    expect(await still(modern(alice, 'tools/list', { cursor }))).toContain('"tools":[')
    expect(await still(modern(alice, 'tools/call', { ...parked.params, requestState: parked.requestState }))).toContain(
      '"result":',
    )
  })

  test('a good token still works, and nobody asked where tokens and pictures pointed', async () => {
    const { answer } = await fire(callWith(world.mallory, 'guarded', '{"path":"public"}'), false)
    expect(answer?.body).toContain('"path":"public"')
    expect(world.canary.hits).toEqual([])
  })

  test('memory is bounded', async () => {
    answers.splice(0, answers.length, answers.join('\n'))
    for (const { requests } of world.backends) requests.length = 0
    world.gateway.events.length = 0
    collect()
    const held = JSON.stringify([answers, world.log]).length
    expect(process.memoryUsage().heapUsed - before - 2 * held).toBeLessThan(GROWTH_BYTES)
  })

  test('no secret stands in the log or in an answer', () => {
    const { secrets, log, session, stream } = world
    expect(secrets.size).toBeGreaterThan(100)
    expect(log.length).toBeGreaterThan(100)
    const said = `${answers.join('\n')}\n${log.join('\n')}`
    // A signature is as good as the whole token, and the text of the claims tells who it is.
    const parts = [...secrets]
      .flatMap((secret) => [secret, ...secret.split('.').slice(1)])
      .filter(({ length }) => length > 20)
    expect(parts.filter((part) => said.includes(part))).toEqual([])
    expect([session, stream].filter((id) => log.join('\n').includes(id))).toEqual([])
    expect(said).not.toMatch(/incident|\.ts:\d+|node_modules|at async /u)
  })
})
