import { expect, onTestFinished, test } from 'vitest'
import { backendId } from '../../../../model/ids.ts'
import { Secret } from '../../../../model/secret.ts'
import { type Consent, createConsents, CONSENT_MS, type Ending, type Wish } from './consents.ts'

function bench(max?: number) {
  const clock = { now: 0 }
  const consents = createConsents(() => clock.now, max)
  onTestFinished(() => consents.close())
  return { consents, clock }
}

const wish = (subject = 'local', backend = 'mail', more: Partial<Wish> = {}): Wish => ({
  backend: {
    id: backendId(backend),
    endpoint: { kind: 'http', url: 'https://mail.example/mcp', headers: {} },
    era: 'auto',
    disabled: false,
    origin: 'static',
  },
  subject,
  person: { kind: 'local' },
  aim: 'backend',
  scopes: [],
  ...more,
})

test('one is pending for a user and a backend, with all scopes that are wanted', () => {
  const { consents } = bench()
  const first = consents.ask(wish('local', 'mail', { scopes: ['a'] }))
  expect(consents.ask(wish('local', 'mail', { scopes: ['b', 'a'] }))).toBe(first)
  expect(first.scopes).toEqual(['a', 'b'])
  expect(consents.ask(wish('other'))).not.toBe(first)
  expect(consents.ask(wish('local', 'wiki'))).not.toBe(first)
  expect(consents.ask(wish('local', 'mail', { aim: 'login' }))).not.toBe(first)
  expect(consents.byTicket(first.ticket.reveal())).toBe(first)
  expect(consents.byTicket(first.id)).toBeUndefined()
})

test('it settles once, and another one may follow', async () => {
  const { consents } = bench()
  const first = consents.ask(wish())
  consents.end(first, { outcome: 'connected' })
  consents.end(first, { outcome: 'refused', why: 'late' })
  expect(await first.settled).toEqual({ outcome: 'connected' })
  expect(consents.isPending(first)).toBe(false)
  expect(consents.ask(wish())).not.toBe(first)
})

test('it is over after ten minutes', async () => {
  const { consents, clock } = bench()
  const first = consents.ask(wish())
  clock.now = CONSENT_MS - 1
  expect(consents.ask(wish())).toBe(first)
  clock.now = CONSENT_MS
  expect(consents.byTicket(first.ticket.reveal())).toBeUndefined()
  expect(await first.settled).toEqual({ outcome: 'expired' })
})

test('beyond the bound the oldest ends', async () => {
  const { consents } = bench(2)
  const [first, second] = [consents.ask(wish('a')), consents.ask(wish('b'))]
  const third = consents.ask(wish('c'))
  expect(await first.settled).toEqual({ outcome: 'expired' })
  expect([second, third].map(consents.isPending)).toEqual([true, true])
})

test('closing ends all', async () => {
  const { consents } = bench()
  const all = [consents.ask(wish('a')), consents.ask(wish('b'))]
  consents.close()
  expect(await Promise.all(all.map(({ settled }) => settled))).toEqual([{ outcome: 'expired' }, { outcome: 'expired' }])
})

const claim = (consent: Consent): void => void (consent.browser = new Secret('a cookie'))

test('whoever asks again after a link was claimed gets a fresh one to the same sign-in', () => {
  const { consents } = bench()
  const first = consents.ask(wish('local', 'mail', { scopes: ['a'] }))
  claim(first)
  const second = consents.ask(wish('local', 'mail', { scopes: ['b'] }))
  expect(second.ticket.reveal()).not.toBe(first.ticket.reveal())
  expect(second.link).not.toBe(first.link)
  expect([second.id, second.scopes, second.browser]).toEqual([first.id, ['a', 'b'], undefined])
  expect(consents.ask(wish())).toBe(second)
  expect([first, second].map(consents.isPending)).toEqual([true, true])
})

test.each<Ending>([{ outcome: 'connected' }, { outcome: 'refused', why: 'no' }])(
  'whichever link is used to the end ends them all: %j',
  async (ending) => {
    const { consents } = bench()
    const links = Array.from({ length: 3 }, () => {
      const consent = consents.ask(wish())
      claim(consent)
      return consent
    })
    const other = consents.ask(wish('other'))
    consents.end(links[1] as Consent, ending)
    expect(await Promise.all(links.map(({ settled }) => settled))).toEqual([ending, ending, ending])
    expect(links.map(consents.isPending)).toEqual([false, false, false])
    expect(consents.isPending(other)).toBe(true)
    expect(consents.ask(wish()).id).not.toBe(links[0]?.id)
  },
)

test('the sign-in is over when its last link is', async () => {
  const { consents, clock } = bench()
  const first = consents.ask(wish())
  claim(first)
  clock.now = CONSENT_MS / 2
  const second = consents.ask(wish())
  clock.now = CONSENT_MS
  expect([first, second].map(consents.isPending)).toEqual([false, true])
  expect(await Promise.race([first.settled, Promise.resolve('pending')])).toBe('pending')
  clock.now = 1.5 * CONSENT_MS
  expect(consents.isPending(second)).toBe(false)
  expect(await first.settled).toEqual({ outcome: 'expired' })
})
