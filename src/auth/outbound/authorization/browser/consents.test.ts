import { expect, onTestFinished, test } from 'vitest'
import { backendId } from '../../../../model/ids.ts'
import { createConsents, CONSENT_MS, type Wish } from './consents.ts'

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
  consents.end(first, 'connected')
  consents.end(first, 'refused')
  expect(await first.settled).toBe('connected')
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
  expect(await first.settled).toBe('expired')
})

test('beyond the bound the oldest ends', async () => {
  const { consents } = bench(2)
  const [first, second] = [consents.ask(wish('a')), consents.ask(wish('b'))]
  const third = consents.ask(wish('c'))
  expect(await first.settled).toBe('expired')
  expect([second, third].map(consents.isPending)).toEqual([true, true])
})

test('closing ends all', async () => {
  const { consents } = bench()
  const all = [consents.ask(wish('a')), consents.ask(wish('b'))]
  consents.close()
  expect(await Promise.all(all.map(({ settled }) => settled))).toEqual(['expired', 'expired'])
})
