import { expect, test } from 'vitest'
import { tokenServer } from '../../../test/support/token-server.ts'
import { guardedFetch } from './guarded-fetch.ts'
import { oauthFetch } from './oauth-fetch.ts'
import { learntReach, WRITTEN } from './reach.ts'

test('a form goes out and the answer is a Response, bodiless statuses too', async () => {
  const server = await tokenServer(({ form }) => ({ status: form['a'] === '1' ? 201 : 204, body: '{"b":2}' }))
  const fetch = oauthFetch(guardedFetch, WRITTEN)
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const first = await fetch(server.url, { method: 'POST', headers, body: new URLSearchParams({ a: '1' }) })
  expect([first.status, await first.json()]).toEqual([201, { b: 2 }])
  const second = await fetch(server.url, { method: 'POST', headers, body: 'a=2' })
  expect([second.status, await second.text()]).toEqual([204, ''])
})

test('the limits of the gateway count, and its methods', async () => {
  const server = await tokenServer(() => ({ body: 'x'.repeat(100) }))
  const fetch = oauthFetch(guardedFetch, { ...WRITTEN, maxBytes: 99 })
  await expect(fetch(server.url, { method: 'GET', headers: {} })).rejects.toMatchObject({ reason: 'size' })
  await expect(fetch(server.url, { method: 'PUT', headers: {} })).rejects.toMatchObject({ reason: 'url' })
  await expect(fetch(server.url, { method: 'POST', headers: {}, body: 1 })).rejects.toMatchObject({ reason: 'url' })
  const aborted = AbortSignal.abort()
  await expect(fetch(server.url, { method: 'GET', headers: {}, signal: aborted })).rejects.toMatchObject({
    reason: 'unreachable',
  })
})

const at = (address: string) => ({ resolve: async () => [{ address, family: 4 }], timeoutMs: 200 })

test.each([
  ['written', WRITTEN, 'http://id.example/', '10.0.0.1', 'http is allowed only to this machine: id.example (private)'],
  ['written', WRITTEN, 'http://id.example/', '8.8.8.8', 'http is allowed only to this machine'],
  ['of a remote backend', learntReach('https://mcp.example/'), 'https://id.example/', '127.0.0.1', 'not allowed'],
  ['of a remote backend', learntReach('https://mcp.example/'), 'http://localhost/', '127.0.0.1', 'http is not allowed'],
  ['of a local backend', learntReach('http://localhost:1/'), 'https://id.example/', '10.0.0.1', 'not allowed'],
  ['of a local backend', learntReach('http://[::1]:1/'), 'http://id.example/', '8.8.8.8', 'only to this machine'],
  ['of a trusted backend', learntReach('https://mcp.example/', true), 'http://id.example/', '10.0.0.1', 'http is not'],
] as const)('an address %s (%o) does not lead from %s to %s', async (_what, reach, url, address, message) => {
  await expect(guardedFetch(url, { ...reach, ...at(address) })).rejects.toThrow(message)
})

test('what is written and what a backend on this machine names may be on this machine', async () => {
  const { url } = await tokenServer(() => ({ body: { a: 1 } }))
  for (const reach of [WRITTEN, learntReach('http://127.0.0.1:9/mcp'), learntReach('http://localhost/', true)]) {
    expect(await guardedFetch(url, reach)).toMatchObject({ status: 200 })
  }
})
