import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'

import { HttpDoor } from '../../src/gateway/face/http/door.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { startHttpBackend, type HttpBackend } from '../support/http-backend.ts'
import { startProvider, type RunningProvider } from '../support/oidc/provider.ts'
import { waitFor } from '../support/processes.ts'
import { legacyClient, modernClient } from '../support/raw-client.ts'
import { ECHO_TOOL, META, MODERN } from '../support/script.ts'

const RESOURCE = 'https://mcp.example/mcp'

let provider: RunningProvider
beforeAll(async () => {
  provider = await startProvider()
  provider.resources.set(RESOURCE, { format: 'jwt', alg: 'RS256', scope: 'mcp read' })
})
afterAll(() => provider.close())

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const oidc = (more: JsonObject = {}): JsonObject => ({
  type: 'oidc',
  oidc: {
    issuer: provider.issuer,
    insecureAllowHttp: true,
    jwksAllowPrivateIp: true,
    requiredScopes: ['mcp'],
    ...more,
  },
})

async function start(incomingAuth: JsonObject): Promise<{ gateway: TestGateway; backend: HttpBackend }> {
  const backend = await startHttpBackend({ tools: [ECHO_TOOL] })
  open.push(() => backend.close())
  const config = { publicUrl: RESOURCE, backends: [{ name: 'one', url: backend.url }], incomingAuth }
  const gateway = await startGateway(config)
  open.push(() => gateway.close())
  return { gateway, backend }
}

const JSON_TYPES = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }

/** One request of either era; `method` of the modern one stands in its headers. */
function post(url: string, token: string | undefined, message: JsonObject, headers: Record<string, string> = {}) {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
  return fetch(url, {
    method: 'POST',
    headers: { ...JSON_TYPES, ...authorization, ...headers },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...message }),
  })
}

const modern = (url: string, token: string | undefined, method: string, params: JsonObject = {}) => {
  const name: Record<string, string> = typeof params['name'] === 'string' ? { 'mcp-name': params['name'] } : {}
  const _meta = { [META.version]: MODERN, [META.capabilities]: {} }
  const headers = { 'mcp-protocol-version': MODERN, 'mcp-method': method, ...name }
  return post(url, token, { method, params: { ...params, _meta } }, headers)
}

const HELLO = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'c', version: '1' } }
const ECHO = { name: 'echo', arguments: { text: 'hi' } }

async function session(url: string, token: string): Promise<string> {
  const response = await post(url, token, { method: 'initialize', params: HELLO })
  expect(response.status).toBe(200)
  return response.headers.get('mcp-session-id') ?? ''
}

test('without a token every door is closed, with the way to one', async () => {
  const { gateway, backend } = await start(oidc({ scopes: ['mcp'] }))
  const base = new URL(gateway.url).origin
  const metadata = `${new URL(RESOURCE).origin}/.well-known/oauth-protected-resource/mcp`
  const challenge = `Bearer resource_metadata="${metadata}", scope="mcp"`
  const answers = [
    await modern(gateway.url, undefined, 'tools/list'),
    await modern(gateway.url, undefined, 'server/discover'),
    await post(gateway.url, undefined, { method: 'initialize', params: HELLO }),
    await fetch(gateway.url, { headers: { accept: 'text/event-stream' } }),
    await fetch(gateway.url, { method: 'DELETE' }),
    await fetch(`${base}/sse`, { headers: { accept: 'text/event-stream' } }),
    await post(`${base}/messages?sessionId=x`, undefined, { method: 'ping' }),
  ]
  for (const response of answers) {
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe(challenge)
    await response.body?.cancel()
  }
  expect(backend.count('tools/call')).toBe(0)
  for (const path of ['', '/mcp']) {
    const document = await fetch(`${base}/.well-known/oauth-protected-resource${path}`)
    expect(document.headers.get('access-control-allow-origin')).toBe('*')
    expect(await document.json()).toMatchObject({ resource: RESOURCE, authorization_servers: [provider.issuer] })
  }
  expect((await fetch(`${base}/health`)).status).toBe(200)
})

test('a good token opens both eras; a bad one, one in the address and one without the scope do not', async () => {
  const { gateway } = await start(oidc())
  const token = await provider.userToken(RESOURCE, 'alice', 'mcp read')
  const called = await modern(gateway.url, token, 'tools/call', ECHO)
  expect(await called.json()).toMatchObject({ result: { content: [{ text: 'hi' }] } })
  const id = await session(gateway.url, token)
  const headers = { 'mcp-session-id': id, 'mcp-protocol-version': '2025-11-25' }
  const legacy = await post(gateway.url, token, { method: 'tools/call', params: ECHO }, headers)
  expect(await legacy.json()).toMatchObject({ result: { content: [{ text: 'hi' }] } })
  const bad = await modern(gateway.url, `${token.slice(0, -4)}AAAA`, 'tools/call', ECHO)
  expect(bad.status).toBe(401)
  expect(bad.headers.get('www-authenticate')).toContain('error="invalid_token"')
  const address = await modern(`${gateway.url}?access_token=${token}`, token, 'tools/call', ECHO)
  expect(address.status).toBe(400)
  const narrow = await modern(gateway.url, await provider.userToken(RESOURCE, 'alice', 'read'), 'tools/call', ECHO)
  expect(narrow.status).toBe(403)
  expect(narrow.headers.get('www-authenticate')).toContain('error="insufficient_scope"')
})

test('a session belongs to who opened it: a newer token keeps it, somebody else finds nothing', async () => {
  const { gateway } = await start(oidc())
  const id = await session(gateway.url, await provider.userToken(RESOURCE, 'alice', 'mcp'))
  const headers = { 'mcp-session-id': id, 'mcp-protocol-version': '2025-11-25' }
  const ask = (token: string, session: Record<string, string>) =>
    post(gateway.url, token, { method: 'tools/list' }, session)
  const newer = await provider.userToken(RESOURCE, 'alice', 'mcp read')
  expect((await ask(newer, headers)).status).toBe(200)
  const bob = await provider.userToken(RESOURCE, 'bob', 'mcp')
  const stolen = await ask(bob, headers)
  const made = await ask(bob, {
    ...headers,
    'mcp-session-id': id.replace(/^./, (first) => (first === '0' ? '1' : '0')),
  })
  expect([stolen.status, await stolen.text()]).toEqual([made.status, await made.text()])
  expect(stolen.status).toBe(404)
  const ended = await fetch(gateway.url, { method: 'DELETE', headers: { ...headers, authorization: `Bearer ${bob}` } })
  expect(ended.status).toBe(404)
  expect((await ask(newer, headers)).status).toBe(200)
})

test('streams end with the token', async () => {
  const { gateway } = await start(oidc())
  const key = provider.keys.get('RS256')!
  const now = Math.floor(Date.now() / 1000)
  const claims = {
    iss: provider.issuer,
    sub: 'alice',
    aud: RESOURCE,
    client_id: 'c',
    scope: 'mcp',
    iat: now - 60,
    exp: now - 28,
  }
  const token = await key.mint(claims)
  const listening = await modern(gateway.url, token, 'subscriptions/listen', {
    notifications: { toolsListChanged: true },
  })
  expect(listening.status).toBe(200)
  const headers = {
    'mcp-session-id': await session(gateway.url, token),
    accept: 'text/event-stream',
    authorization: `Bearer ${token}`,
  }
  const stream = await fetch(gateway.url, { headers })
  expect(stream.status).toBe(200)
  await Promise.all([listening.text(), stream.text()])
})

test('discovery is public only where the configuration says so', async () => {
  const { gateway } = await start(oidc({ publicDiscovery: true }))
  expect((await modern(gateway.url, undefined, 'server/discover')).status).toBe(200)
  expect((await modern(gateway.url, undefined, 'tools/list')).status).toBe(401)
  const _meta = { [META.version]: MODERN, [META.capabilities]: {} }
  const headers = { 'mcp-protocol-version': MODERN, 'mcp-method': 'server/discover' }
  const disguised = await post(gateway.url, undefined, { method: 'tools/list', params: { _meta } }, headers)
  expect(disguised.status).toBe(400)
})

test('a local token is made once, kept for its owner only, and counts after a restart', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vmcp-local-'))
  open.push(() => rmSync(folder, { recursive: true }))
  const { gateway } = await start({ type: 'local' })
  const door = await HttpDoor.listen(gateway.gateway, { host: '127.0.0.1', port: 0, stateFolder: folder })
  open.push(() => door.destroy())
  open.push(() => door.stop())
  const file = join(folder, 'local-token')
  const token = readFileSync(file, 'utf8').trim()
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const url = `http://127.0.0.1:${door.port}/mcp`
  expect((await modern(url, token, 'tools/call', ECHO)).status).toBe(200)
  expect((await modern(url, 'guess', 'tools/call', ECHO)).status).toBe(401)
  const again = await HttpDoor.listen(gateway.gateway, { host: '127.0.0.1', port: 0, stateFolder: folder })
  open.push(() => again.destroy())
  open.push(() => again.stop())
  expect((await modern(`http://127.0.0.1:${again.port}/mcp`, token, 'tools/list')).status).toBe(200)
  const told = gateway.events.filter(({ name }) => name === 'local.token')
  await waitFor(() => told.length > 0)
  expect(JSON.stringify(told)).not.toContain(token)
})

test('who listens when the issuers change must come in anew', async () => {
  const { gateway, backend } = await start(oidc())
  const token = await provider.userToken(RESOURCE, 'alice', 'mcp')
  const [legacy, modern] = [await legacyClient(gateway.url, { token }), await modernClient(gateway.url, { token })]
  open.push(
    () => legacy.close(),
    () => modern.close(),
  )
  const backends = [{ name: 'one', url: backend.url }]
  await gateway.reload({ publicUrl: RESOURCE, backends, incomingAuth: oidc({ requiredScopes: ['read'] }) })
  await waitFor(() => !legacy.listening() && !modern.listening())
  expect(await legacy.request('tools/list')).toMatchObject({ status: 403 })
})
