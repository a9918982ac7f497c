import { expect, onTestFinished, test } from 'vitest'
import type { BackendSpec } from '../../../../model/backend.ts'
import { ConsentNeeded } from '../../../../model/credential.ts'
import { backendId } from '../../../../model/ids.ts'
import { ANONYMOUS, type Identified } from '../../../../model/principal.ts'
import { Secret } from '../../../../model/secret.ts'
import { createConsents } from '../browser/consents.ts'
import { createMemoryStore } from '../store/memory-store.ts'
import { type StoredLogin, withLogin, withoutLogins } from '../store/store.ts'
import { createIdTokens } from './id-tokens.ts'
import type { Login } from './login.ts'

const ISSUER = 'https://id.example'
const BACKEND: BackendSpec = {
  id: backendId('mail'),
  endpoint: { kind: 'http', url: 'https://mail.example/mcp', headers: {} },
  era: 'auto',
  disabled: false,
  origin: 'static',
}
const ALICE: Identified = {
  kind: 'identified',
  key: 'alice-key',
  id: 'alice',
  issuer: ISSUER,
  subject: 'alice',
  client: undefined,
  scopes: [],
  claims: {},
  expiresAt: undefined,
  proof: undefined,
}
const KEPT: StoredLogin = {
  backend: 'mail',
  subject: 'alice-key',
  issuer: ISSUER,
  idToken: new Secret('first'),
  refresh: new Secret('r1'),
  expiresAt: 600_000,
}

async function bench(renew: Login['renew']) {
  const clock = { now: 0 }
  const store = createMemoryStore()
  const consents = createConsents(() => clock.now)
  onTestFinished(() => consents.close())
  const login: Login = { clientId: 'vmcp', server: () => Promise.reject(), redeem: () => Promise.reject(), renew }
  const idTokens = createIdTokens({
    store,
    now: () => clock.now,
    consents,
    logins: new Map([[ISSUER, login]]),
    ownerOf: (principal) =>
      principal.kind === 'anonymous'
        ? { subject: 'local', person: { kind: 'local' } }
        : { subject: principal.key, person: { kind: 'user', issuer: principal.issuer, subject: principal.subject } },
    consentNeeded: ({ id }) => new ConsentNeeded('sign in', { url: 'x', id, settled: Promise.resolve() }),
  })
  await store.update((state) => withLogin(state, KEPT))
  const shown = async () => (await idTokens.of(ALICE, BACKEND)).reveal()
  return { idTokens, clock, store, shown }
}

test('an ID token is renewed once for all who wait, a minute before its end', async () => {
  const renewals: string[] = []
  const { shown, clock, store } = await bench(async (refresh) => {
    renewals.push(refresh.reveal())
    await new Promise((done) => setTimeout(done, 5))
    return { subject: 'alice', idToken: new Secret('second'), refresh: undefined, expiresAt: 1_200_000 }
  })
  clock.now = 539_999
  expect(await shown()).toBe('first')
  clock.now = 540_000
  expect(await Promise.all([shown(), shown(), shown()])).toEqual(['second', 'second', 'second'])
  expect(renewals).toEqual(['r1'])
  const [kept] = Object.values((await store.read()).logins)
  expect([kept?.idToken.reveal(), kept?.refresh?.reveal()]).toEqual(['second', 'r1'])
})

test.each([
  ['somebody else', async () => ({ subject: 'mallory', idToken: new Secret('x'), refresh: undefined, expiresAt: 9e6 })],
  ['nothing', async () => undefined],
])('a renewal that brings %s is a reason to sign in again', async (_name, renew) => {
  const { shown, clock, store } = await bench(renew)
  clock.now = 600_000
  await expect(shown()).rejects.toBeInstanceOf(ConsentNeeded)
  expect((await store.read()).logins).toEqual({})
})

test('an issuer that cannot be asked leaves what is kept', async () => {
  const { shown, clock, store } = await bench(() => Promise.reject(new Error('no')))
  clock.now = 600_000
  await expect(shown()).rejects.toThrow('no')
  expect(Object.values((await store.read()).logins)[0]).toBe(KEPT)
})

test('users of this machine have no ID token', async () => {
  const { idTokens } = await bench(() => Promise.reject(new Error('no')))
  await expect(idTokens.of(ANONYMOUS, BACKEND)).rejects.toThrow('incomingAuth of type oidc')
})

test('tells whose ID token has gone', async () => {
  const { idTokens, store } = await bench(() => Promise.reject(new Error('no')))
  const told: unknown[] = []
  const leave = idTokens.subscribe((subject) => told.push(subject))
  await store.update((state) => withLogin(state, { ...KEPT, idToken: new Secret('other') }))
  expect(told).toEqual([])
  await store.update((state) => withoutLogins(state, () => true))
  expect(told).toEqual(['alice-key'])
  leave()
})
