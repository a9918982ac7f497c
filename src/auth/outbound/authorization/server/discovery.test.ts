import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { scriptedServer } from '../../../../../test/support/oidc/scripted-server.ts'
import { guardedFetch } from '../../../net/guarded-fetch.ts'
import { authorizationServer, discover } from './discovery.ts'
import { trustOf } from './trust.ts'

test.each([
  ['https://as.example', ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration']],
  [
    'https://as.example/tenant/one',
    [
      '/.well-known/oauth-authorization-server/tenant/one',
      '/.well-known/openid-configuration/tenant/one',
      '/tenant/one/.well-known/openid-configuration',
    ],
  ],
])('the metadata of %s are looked for in order', async (issuer, paths) => {
  const server = scriptedServer()
  server.documents = {}
  const trust = trustOf('https://mail.example/mcp', undefined)
  await expect(authorizationServer(issuer, trust, server.fetch)).rejects.toThrow('not to be found')
  expect(server.asked).toEqual(paths.map((path) => `GET https://as.example${path}`))
})

test.each([
  ['https://mail.example/mcp', ['/.well-known/oauth-protected-resource/mcp', '/.well-known/oauth-protected-resource']],
  [
    'https://mail.example/a/b/?x=1',
    ['/.well-known/oauth-protected-resource/a/b?x=1', '/.well-known/oauth-protected-resource'],
  ],
  ['https://mail.example/', ['/.well-known/oauth-protected-resource']],
])('the metadata of the resource %s are looked for in order', async (url, paths) => {
  const server = scriptedServer(url)
  server.documents = {}
  const target = { url, issuer: undefined, trust: trustOf(url, undefined) }
  await expect(discover(target, undefined, server.fetch)).rejects.toThrow('not to be found')
  expect(server.asked.filter((line) => line.includes('protected'))).toEqual(
    paths.map((path) => `GET https://mail.example${path}`),
  )
})

/** A backend on loopback whose resource metadata say this. */
async function backendSaying(metadata: (url: string) => unknown, status = 200, headers: Record<string, string> = {}) {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    const isDocument = request.url?.includes('.well-known') === true
    response.writeHead(isDocument ? status : 401, { 'content-type': 'application/json', ...headers })
    response.end(isDocument ? JSON.stringify(metadata(url)) : '')
  })
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
  return { target: { url, issuer: undefined, trust: trustOf(url, undefined) }, url, asked }
}

test.each([
  ['https://10.0.0.1', /not allowed/u],
  ['https://169.254.169.254', /not allowed/u],
  ['https://[::ffff:169.254.169.254]', /not allowed/u],
  ['https://[fd00:ec2::254]', /not allowed/u],
  ['http://192.168.0.1', /https is needed/u],
  ['https://user:word@as.example', /https is needed/u],
  ['gopher://127.0.0.1', /https is needed/u],
])('an authorization server at %s is not asked', async (issuer, expected) => {
  const { target } = await backendSaying((resource) => ({ resource, authorization_servers: [issuer] }))
  await expect(discover(target, undefined, guardedFetch)).rejects.toThrow(expected)
})

test('a redirect of the metadata to elsewhere is not followed', async () => {
  const location = 'http://127.0.0.1:1/elsewhere'
  const { target, asked } = await backendSaying(() => ({}), 302, { location })
  await expect(discover(target, undefined, guardedFetch)).rejects.toThrow('redirects to another origin')
  expect(asked).toHaveLength(2)
})

test('a redirect that never ends, and a document that does not, are broken off', async () => {
  const looping = await backendSaying(() => ({}), 302, { location: '/.well-known/again' })
  await expect(discover(looping.target, undefined, guardedFetch)).rejects.toThrow('redirects too often')
  const huge = await backendSaying(() => 'x'.repeat(300 * 1024))
  await expect(discover(huge.target, undefined, guardedFetch)).rejects.toThrow('sent more than')
})

test('a challenge that leads to a private address is not followed', async () => {
  const { target } = await backendSaying(() => ({}))
  const challenge = { resourceMetadata: 'https://10.1.2.3/metadata', scopes: [], error: undefined }
  await expect(discover(target, challenge, guardedFetch)).rejects.toThrow('not allowed')
  const file = { ...challenge, resourceMetadata: 'file:///etc/passwd' }
  await expect(discover(target, file, guardedFetch)).rejects.toThrow('not allowed')
})
