import { expect, test } from 'vitest'
import { Secret } from '../../../../model/secret.ts'
import { stateOf, textOf } from './state-text.ts'
import { EMPTY, type State } from './store.ts'

const CLIENT = { id: 'me', origin: 'registered' } as const

test('every secret is there again, and is one', () => {
  const state: State = {
    tokens: {
      t: {
        backend: 'mail',
        url: 'https://mail.example/mcp',
        subject: 'local',
        issuer: 'https://as.example',
        resource: 'https://mail.example/mcp',
        client: { ...CLIENT, secret: new Secret('one') },
        access: new Secret('two'),
        refresh: new Secret('three'),
        obtainedAt: 0,
        scopes: ['access', 'secret'],
      },
    },
    clients: { c: { ...CLIENT, secret: new Secret('four') }, d: CLIENT },
    logins: {
      l: {
        backend: 'mail',
        subject: 'local',
        issuer: 'https://id.example',
        idToken: new Secret('five'),
        refresh: new Secret('six'),
        expiresAt: 1,
      },
    },
  }
  const text = textOf(state)
  const read = stateOf(text)
  expect(read).toEqual(state)
  // Equality does not look into secrets.
  expect(textOf(read ?? EMPTY)).toBe(text)
  expect(JSON.stringify(read)).not.toMatch(/one|two|three|four|five|six/u)
})

test.each(['null', '[]', '{"tokens":[]}', '{"logins":1}'])('is no state: %s', (text) => {
  expect(stateOf(text)).toBeUndefined()
})
