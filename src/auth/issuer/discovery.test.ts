import { expect, test } from 'vitest'
import type { JsonObject } from '../../model/json.ts'
import { FetchRefused } from '../net/guarded-fetch.ts'
import { createDiscovery, discoveryUrls } from './discovery.ts'

test.each([
  [
    'https://id.example',
    [
      'https://id.example/.well-known/openid-configuration',
      'https://id.example/.well-known/oauth-authorization-server',
    ],
  ],
  [
    'https://id.example/realms/a/',
    [
      'https://id.example/realms/a/.well-known/openid-configuration',
      'https://id.example/.well-known/oauth-authorization-server/realms/a',
      'https://id.example/.well-known/openid-configuration/realms/a',
    ],
  ],
])('the documents of %s', (issuer, urls) => {
  expect(discoveryUrls(issuer)).toEqual(urls)
})

const ISSUER = 'https://id.example/tenant'

function discovery(documents: Record<string, JsonObject>, failure: 'answer' | 'timeout' = 'answer') {
  const asked: string[] = []
  const clock = { now: 0 }
  const read = async (url: string): Promise<JsonObject> => {
    asked.push(url)
    const document = documents[url]
    if (!document) throw new FetchRefused(failure, `failure ${asked.length}`)
    return document
  }
  const post = () => Promise.reject(new Error('nothing to post'))
  return { asked, clock, ...createDiscovery(ISSUER, { read, post }, () => clock.now) }
}

test('the RFC 8414 form is found, and kept for an hour', async () => {
  const url = 'https://id.example/.well-known/oauth-authorization-server/tenant'
  const found = { issuer: ISSUER, jwks_uri: 'https://id.example/k' }
  const { asked, clock, document } = discovery({ [url]: found })
  expect(await Promise.all([document(), document()])).toEqual([found, found])
  clock.now = 3_599_999
  await document()
  expect(asked.length).toBe(2)
  clock.now++
  await document()
  expect(asked.length).toBe(4)
})

test('of several failures the first is told, and a failure is not kept', async () => {
  const { asked, document } = discovery({})
  await expect(document()).rejects.toThrow('failure 1')
  expect(asked.length).toBe(3)
  await expect(document()).rejects.toThrow('failure 4')
})

test('an issuer that does not answer is asked once', async () => {
  const { asked, document } = discovery({}, 'timeout')
  await expect(document()).rejects.toThrow('failure 1')
  expect(asked.length).toBe(1)
})

test('a document that names another issuer is not used', async () => {
  const { document } = discovery({ [`${ISSUER}/.well-known/openid-configuration`]: { issuer: `${ISSUER}/` } })
  await expect(document()).rejects.toThrow('letter by letter')
})
