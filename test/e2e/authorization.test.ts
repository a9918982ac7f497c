import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'

import { principalOf } from '../../src/auth/policy/explain.ts'
import { GATEWAY_CALLER } from '../../src/model/call.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { startGateway } from '../support/gateway.ts'
import { startHttpBackend } from '../support/http-backend.ts'
import { startProvider, type RunningProvider } from '../support/oidc/provider.ts'
import { ECHO_TOOL, META, MODERN } from '../support/script.ts'

const RESOURCE = 'https://mcp.example/mcp'

let provider: RunningProvider
beforeAll(async () => {
  provider = await startProvider()
  provider.resources.set(RESOURCE, { format: 'jwt', alg: 'RS256', scope: 'mcp' })
})
afterAll(() => provider.close())

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const POLICIES = [
  'permit(principal == Client::"alice", action == Action::"call_tool", resource == Tool::"echo");',
  'permit(principal == Client::"bob", action == Action::"call_tool", resource == Tool::"echo") when { context has arg_text && context.arg_text == "hello" };',
  'permit(principal == Client::"bob", action == Action::"read_resource", resource) when { resource has name && resource.name like "docs://open/*" };',
]

async function start(policies: string[], rateLimiting?: JsonObject, others: JsonObject[] = []) {
  const backend = await startHttpBackend({
    instructions: 'I am one.',
    tools: [ECHO_TOOL, { ...ECHO_TOOL, name: 'secret' }],
    resources: [
      { uri: 'docs://open/a', name: 'a' },
      { uri: 'docs://closed/b', name: 'b' },
    ],
    prompts: [{ name: 'greet' }],
  })
  open.push(() => backend.close())
  const oidc = { issuer: provider.issuer, insecureAllowHttp: true, jwksAllowPrivateIp: true }
  const config = (texts: string[]): JsonObject => ({
    publicUrl: RESOURCE,
    backends: [{ name: 'one', url: backend.url }, ...others],
    incomingAuth: { type: 'oidc', oidc, authz: { type: 'cedar', policies: texts } },
    ...(rateLimiting && { rateLimiting }),
  })
  const gateway = await startGateway(config(policies))
  open.push(() => gateway.close())
  const as =
    (user: string) =>
    async (method: string, params: JsonObject = {}): Promise<JsonObject> => {
      const token = await provider.userToken(RESOURCE, user, 'mcp')
      const subject = params['name'] ?? params['uri']
      const response = await fetch(gateway.url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          authorization: `Bearer ${token}`,
          'mcp-protocol-version': MODERN,
          'mcp-method': method,
          ...(typeof subject === 'string' ? { 'mcp-name': subject } : {}),
        },
        body: JSON.stringify({
          jsonrpc: '2.0',
          id: 1,
          method,
          params: { ...params, _meta: { [META.version]: MODERN, [META.capabilities]: {} } },
        }),
      })
      return {
        status: response.status,
        challenge: response.headers.get('www-authenticate'),
        ...((await response.json()) as JsonObject),
      }
    }
  return { backend, gateway, config, alice: as('alice'), bob: as('bob'), eve: as('eve') }
}

const names = (answer: JsonObject, member: string, key: string) =>
  ((answer['result'] as JsonObject)[member] as JsonObject[]).map((entry) => entry[key])

const echo = (text: string): JsonObject => ({ name: 'echo', arguments: { text } })

test('what is listed is what may be called, for each principal', async () => {
  const { backend, alice, bob, eve } = await start(POLICIES)
  expect(names(await alice('tools/list'), 'tools', 'name')).toEqual(['echo'])
  expect(names(await bob('tools/list'), 'tools', 'name')).toEqual(['echo'])
  expect(names(await eve('tools/list'), 'tools', 'name')).toEqual([])
  expect(names(await bob('resources/list'), 'resources', 'uri')).toEqual(['docs://open/a'])
  expect((await alice('tools/list'))['result']).toMatchObject({ cacheScope: 'private' })
  expect(await alice('tools/call', echo('x'))).toMatchObject({ status: 200, result: { content: [{ text: 'x' }] } })
  expect(await bob('tools/call', echo('hello'))).toMatchObject({ status: 200 })
  expect(await bob('tools/call', echo('other'))).toMatchObject({
    status: 403,
    challenge: null,
    error: { code: 403, message: 'call denied by authorization policy' },
  })
  expect(await bob('resources/read', { uri: 'docs://open/a' })).toMatchObject({ status: 200 })
  expect(backend.count('tools/call')).toBe(2)
})

test('hidden and unknown answer alike', async () => {
  const { backend, bob, eve } = await start(POLICIES)
  for (const ask of [bob, eve]) {
    const hidden = await ask('tools/call', { name: 'secret', arguments: {} })
    const unknown = await ask('tools/call', { name: 'nobody', arguments: {} })
    expect(JSON.stringify(hidden).replaceAll('secret', 'nobody')).toBe(JSON.stringify(unknown))
    const closed = await ask('resources/read', { uri: 'docs://closed/b' })
    const none = await ask('resources/read', { uri: 'docs://closed/c' })
    expect(JSON.stringify(closed).replaceAll('closed/b', 'closed/c')).toBe(JSON.stringify(none))
    expect(await ask('prompts/get', { name: 'greet' })).toMatchObject({ error: { code: -32602 } })
  }
  expect(backend.count('resources/read') + backend.count('tools/call') + backend.count('prompts/get')).toBe(0)
})

test('a limit on a hidden tool says nothing about it', async () => {
  const one = { maxTokens: 1, refillPeriod: '1h' }
  const { bob } = await start(POLICIES, { tools: [{ name: 'secret', shared: one }] })
  for (let times = 0; times < 3; times++) {
    expect(await bob('tools/call', { name: 'secret', arguments: {} })).toMatchObject({ error: { code: -32602 } })
  }
})

test('reloaded policies count at once, and those are told whose lists have changed', async () => {
  const { gateway, config, alice, eve } = await start(POLICIES)
  await alice('tools/list')
  const told: string[] = []
  for (const sub of ['alice', 'bob', 'eve', 'mallory']) {
    const caller = { ...GATEWAY_CALLER, principal: principalOf({ iss: provider.issuer, sub }) }
    open.push(gateway.gateway.core.watch(caller, () => told.push(sub)))
  }
  await gateway.reload(config([...POLICIES.slice(1), 'permit(principal == Client::"eve", action, resource);']))
  await vi.waitFor(() => expect(told.toSorted()).toEqual(['alice', 'eve']))
  expect(names(await eve('tools/list'), 'tools', 'name')).toEqual(['echo', 'secret'])
  expect(names(await alice('tools/list'), 'tools', 'name')).toEqual([])
})

test('policies on trial decide nothing, and the log tells what they would have decided', async () => {
  const { gateway, config, alice, bob } = await start(POLICIES)
  const trial = ['permit(principal, action == Action::"call_tool", resource == Tool::"secret");']
  const { incomingAuth, ...rest } = config(POLICIES) as { incomingAuth: JsonObject & { authz: JsonObject } }
  const authz = { ...incomingAuth.authz, trialPolicies: trial }
  await gateway.reload({ ...rest, incomingAuth: { ...incomingAuth, authz } })
  expect(names(await alice('tools/list'), 'tools', 'name')).toEqual(['echo'])
  expect(await alice('tools/call', echo('x'))).toMatchObject({ status: 200 })
  expect(await bob('tools/call', { name: 'secret', arguments: {} })).toMatchObject({ error: { code: -32602 } })
  const told = (name: string) => gateway.events.filter((event) => event.name === name).map(({ data }) => data)
  await vi.waitFor(() =>
    expect(told('policy.trial-list')).toEqual([{ principal: 'alice', gained: ['secret'], lost: ['echo'], more: 0 }]),
  )
  expect(told('policy.trial')).toMatchObject([
    { principal: 'alice', what: 'call_tool echo', now: 'allow', would: 'deny', by: [] },
    { principal: 'bob', what: 'call_tool secret', now: 'deny', would: 'allow', by: ['policy0'] },
  ])
})

test('a URI that a backend could take for a hidden one is unknown, however it is spelt', async () => {
  const { backend, bob } = await start(POLICIES)
  for (const way of ['..', '%2e%2e', '%2E.', '.%252e', 'x/../..']) {
    const uri = `docs://open/${way}/closed/b`
    const answer = JSON.stringify(await bob('resources/read', { uri }))
    const none = JSON.stringify(await bob('resources/read', { uri: 'docs://closed/c' }))
    expect(answer.replaceAll(uri, 'docs://closed/c')).toBe(none)
  }
  expect(backend.count('resources/read')).toBe(0)
  const plain = { uri: 'docs://open/./a%20b' }
  await bob('resources/read', plain)
  expect(backend.requests.find(({ method }) => method === 'resources/read')?.body?.['params']).toMatchObject(plain)
})

test('who sees nothing of a backend is not told of it, and what is told is private', async () => {
  const other = await startHttpBackend({ tools: [{ ...ECHO_TOOL, name: 'other' }], instructions: 'I am two.' })
  open.push(() => other.close())
  const to = (user: string, backend: string) =>
    `permit(principal == Client::"${user}", action == Action::"call_tool", resource in Backend::"${backend}");`
  const { alice, bob, eve } = await start([to('alice', 'one'), to('alice', 'two'), to('bob', 'two')], undefined, [
    { name: 'two', url: other.url },
  ])
  await alice('tools/list')
  const both = '## one\n\nI am one.\n\n## two\n\nI am two.'
  expect((await alice('server/discover'))['result']).toMatchObject({ instructions: both, cacheScope: 'private' })
  expect((await bob('server/discover'))['result']).toMatchObject({ instructions: '## two\n\nI am two.' })
  expect((await eve('server/discover'))['result']).not.toHaveProperty('instructions')
})
