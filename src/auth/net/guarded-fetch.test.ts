import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { selfSigned } from '../../../test/support/oidc/certificate.ts'
import { FetchRefused, guardedFetch, type GuardedOptions, type RefusalReason } from './guarded-fetch.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close()
    server.closeAllConnections()
  }
})

async function started(server: Server): Promise<number> {
  servers.push(server)
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done))
  return (server.address() as AddressInfo).port
}

const serve = (listener: RequestListener) => started(createServer(listener))

const LOCAL = { allowHttp: true, allowPrivate: true }

async function refusal(url: string, options: GuardedOptions = {}): Promise<[RefusalReason, string]> {
  const error: unknown = await guardedFetch(url, options).catch((thrown: unknown) => thrown)
  if (!(error instanceof FetchRefused)) throw new Error(`not refused: ${String(error)}`)
  return [error.reason, error.message]
}

test('answers with status, headers and text, whatever the status', async () => {
  const port = await serve((request, response) => {
    response.writeHead(404, { 'x-seen': `${request.method} ${request.url} ${request.headers.accept}` }).end('{"a":1}')
  })
  const answer = await guardedFetch(`http://127.0.0.1:${port}/p?q=1`, LOCAL)
  expect(answer).toMatchObject({ status: 404, text: '{"a":1}', headers: { 'x-seen': 'GET /p?q=1 application/json' } })
})

test('posts a body', async () => {
  const port = await serve((request, response) => void request.pipe(response))
  const options = { ...LOCAL, method: 'POST', body: 'token=ü' } as const
  expect(await guardedFetch(`http://127.0.0.1:${port}`, options)).toMatchObject({ status: 200, text: 'token=ü' })
})

test.each([
  ['http://id.example/', 'http is not allowed, only https is: id.example'],
  ['ftp://id.example/', 'that scheme is not allowed, only https is: id.example'],
  ['file:///etc/passwd', 'that scheme is not allowed, only https is'],
  ['https://user:pass@id.example/', 'credentials in a URL: id.example'],
  ['https://user@id.example/', 'credentials in a URL: id.example'],
  ['nonsense', 'the address is not a URL'],
])('refuses the URL %s', async (url, message) => {
  expect(await refusal(url)).toEqual(['url', message])
})

test.each([
  ['https://127.0.0.1/', {}],
  ['https://[::1]/', {}],
  ['https://0x7f.1/', {}],
  ['https://2130706433/', {}],
  ['https://localhost/', {}],
  ['https://10.0.0.1/', {}],
  ['https://[::ffff:192.168.0.1]/', {}],
  ['http://169.254.169.254/latest/meta-data', LOCAL],
  ['http://[fd00:ec2::254]/', LOCAL],
  ['http://0.0.0.0/', LOCAL],
])('refuses to dial %s', async (url, options) => {
  expect((await refusal(url, options))[0]).toBe('address')
})

test('refuses names that lead to refused addresses, and dials only what was checked', async () => {
  const port = await serve((request, response) => void response.end(request.headers.host))
  let asked = 0
  // Rebinding: the first answer is harmless, every later one is not.
  const rebinding = async () => [{ address: asked++ === 0 ? '127.0.0.1' : '169.254.169.254', family: 4 }]
  const url = `http://id.example:${port}/`
  expect(await guardedFetch(url, { ...LOCAL, resolve: rebinding })).toMatchObject({ text: `id.example:${port}` })
  expect(asked).toBe(1)
  expect((await refusal(url, { ...LOCAL, resolve: rebinding }))[0]).toBe('address')
})

test('of several addresses only allowed ones are dialled', async () => {
  const port = await serve((_request, response) => void response.end('ok'))
  const resolve = async () => ['169.254.169.254', '127.0.0.1'].map((address) => ({ address, family: 4 }))
  expect(await guardedFetch(`http://id.example:${port}/`, { ...LOCAL, resolve })).toMatchObject({ text: 'ok' })
  expect(await refusal('https://id.example/', { resolve })).toEqual([
    'address',
    'id.example leads to an address that is not allowed (forbidden, loopback)',
  ])
})

test('follows few redirects, within the origin, and none of a POST', async () => {
  const other = await serve((_request, response) => void response.end('stolen'))
  const port = await serve((request, response) => {
    const [, path = '', count = '0'] = (request.url ?? '').split('/')
    const to =
      path === 'away' ? `http://127.0.0.1:${other}/` : Number(count) > 0 ? `/go/${Number(count) - 1}` : undefined
    if (to === undefined) response.end('there')
    else response.writeHead(302, { location: to }).end()
  })
  const base = `http://127.0.0.1:${port}`
  expect(await guardedFetch(`${base}/go/2`, LOCAL)).toMatchObject({ status: 200, text: 'there' })
  expect(await refusal(`${base}/go/3`, LOCAL)).toEqual(['redirect', `${base} redirects too often`])
  expect(await refusal(`${base}/away`, LOCAL)).toEqual(['redirect', `${base} redirects to another origin`])
  expect(await refusal(`${base}/go/1`, { ...LOCAL, method: 'POST', body: '' })).toEqual([
    'redirect',
    `${base} redirects a POST`,
  ])
})

test('breaks off what is slow, in head, body and resolver', async () => {
  const port = await serve((request, response) => {
    if (request.url === '/body') response.writeHead(200).write('{')
  })
  const options = { ...LOCAL, timeoutMs: 100 }
  expect((await refusal(`http://127.0.0.1:${port}/head`, options))[0]).toBe('timeout')
  expect((await refusal(`http://127.0.0.1:${port}/body`, options))[0]).toBe('timeout')
  const resolve = () => new Promise<never>(() => {})
  expect((await refusal('https://id.example/', { ...options, resolve }))[0]).toBe('timeout')
})

test('breaks off what is too large, announced or not, and what is compressed', async () => {
  const port = await serve((request, response) => {
    if (request.url === '/zip') response.writeHead(200, { 'content-encoding': 'gzip' }).end('x')
    else if (request.url === '/announced') response.writeHead(200, { 'content-length': 5000 }).write('x')
    else response.writeHead(200).end('x'.repeat(5000))
  })
  const options = { ...LOCAL, maxBytes: 4999 }
  for (const path of ['announced', 'counted']) {
    expect((await refusal(`http://127.0.0.1:${port}/${path}`, options))[0]).toBe('size')
  }
  expect(await guardedFetch(`http://127.0.0.1:${port}/`, { ...LOCAL, maxBytes: 5000 })).toMatchObject({ status: 200 })
  expect((await refusal(`http://127.0.0.1:${port}/zip`, LOCAL))[0]).toBe('answer')
})

test('tells who cannot be reached, and nothing of what was sent', async () => {
  const port = await serve((request) => void request.socket.destroy())
  const url = `http://127.0.0.1:${port}/secret-path?token=secret`
  const [reason, message] = await refusal(url, { ...LOCAL, headers: { authorization: 'secret' } })
  expect(reason).toBe('unreachable')
  expect(message).toBe(`http://127.0.0.1:${port} cannot be reached: ECONNRESET`)
})

test('a caller can break it off', async () => {
  const port = await serve(() => {})
  const abort = new AbortController()
  setTimeout(() => abort.abort(), 20)
  expect((await refusal(`http://127.0.0.1:${port}/`, { ...LOCAL, signal: abort.signal }))[0]).toBe('unreachable')
})

test('trusts an authority only when it is given', async () => {
  const { key, cert } = selfSigned()
  const port = await started(createTlsServer({ key, cert }, (_request, response) => void response.end('{}')))
  const options = { allowPrivate: true }
  expect((await refusal(`https://127.0.0.1:${port}/`, options))[1]).toContain('DEPTH_ZERO_SELF_SIGNED_CERT')
  expect((await refusal(`https://127.0.0.1:${port}/`, { ...options, ca: selfSigned().cert }))[0]).toBe('unreachable')
  for (const host of ['127.0.0.1', 'localhost']) {
    expect(await guardedFetch(`https://${host}:${port}/`, { ...options, ca: cert })).toMatchObject({ text: '{}' })
  }
  const resolve = async () => [{ address: '127.0.0.1', family: 4 }]
  const [, other] = await refusal(`https://other.example:${port}/`, { ...options, ca: cert, resolve })
  expect(other).toContain('ERR_TLS_CERT_ALTNAME_INVALID')
})

test('a bundle that is no PEM is refused', async () => {
  const options = { allowPrivate: true, ca: '-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----' }
  expect((await refusal('https://127.0.0.1:1/', options))[0]).toBe('unreachable')
})
