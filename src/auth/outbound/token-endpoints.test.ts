import { expect, test } from 'vitest'
import { bearer, tokenServer } from '../../../test/support/token-server.ts'
import { Secret } from '../../model/secret.ts'
import { guardedFetch } from '../net/guarded-fetch.ts'
import { WRITTEN } from '../net/reach.ts'
import type { EndpointSettings } from './token-endpoint.ts'
import { createTokenEndpoints } from './token-endpoints.ts'

const parts = { fetch: guardedFetch, now: Date.now }
const settings = (url: string, secret = 's'): EndpointSettings => ({
  url,
  reach: WRITTEN,
  client: { id: 'c', secret: new Secret(secret) },
})

test('at most 64 requests at a time, whoever asks there as this client', async () => {
  let open = 0
  let most = 0
  const { url, requests } = await tokenServer(async () => {
    most = Math.max(most, ++open)
    await new Promise((done) => setTimeout(done, 20))
    open--
    return bearer('t')
  })
  const endpoints = createTokenEndpoints(parts)
  await Promise.all(Array.from({ length: 150 }, () => endpoints(settings(url))({ type: 'g' })))
  expect(requests).toHaveLength(150)
  expect(most).toBeLessThanOrEqual(64)
})

test('the way to authenticate that was learnt is kept for the next one who asks', async () => {
  const { url, requests } = await tokenServer(({ authorization }) =>
    authorization ? { status: 401, body: { error: 'invalid_client' } } : bearer('t'),
  )
  const endpoints = createTokenEndpoints(parts)
  await endpoints(settings(url))({ type: 'g' })
  await endpoints(settings(url))({ type: 'g' })
  expect(requests.map(({ authorization }) => authorization !== undefined)).toEqual([true, false, false])
})

test('another secret is another client, and the one that was not used for longest gives way', () => {
  const endpoints = createTokenEndpoints(parts, 2)
  const url = 'https://as.example/token'
  const [one, two] = [endpoints(settings(url, 'one')), endpoints(settings(url, 'two'))]
  expect(one).not.toBe(two)
  expect(endpoints(settings(url, 'one'))).toBe(one)
  endpoints(settings(url, 'three'))
  expect(endpoints(settings(url, 'one'))).toBe(one)
  expect(endpoints(settings(url, 'two'))).not.toBe(two)
})
