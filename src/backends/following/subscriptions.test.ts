import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Era } from '../../model/backend.ts'
import type { Caller } from '../../model/call.ts'
import { GATEWAY_CALLER } from '../../model/call.ts'
import { Cancellation } from '../../model/cancellation.ts'
import { GatewayError } from '../../model/errors.ts'
import type { OwnerKey } from '../../model/ids.ts'
import type { JsonObject } from '../../model/json.ts'
import { ANONYMOUS } from '../../model/principal.ts'
import { NO_PROFILE } from '../../model/profile.ts'
import type { Leg, Reply } from '../leg.ts'
import { SessionLost } from '../leg.ts'
import type { Slot } from '../connections/pool.ts'
import { Subscriptions } from './subscriptions.ts'

interface FakeLeg extends Leg {
  /** What the server was told, oldest first. */
  readonly log: string[]
  /** Answers the next requests. */
  answer: () => Promise<void>
  closed: boolean
}

function legOf(era: Era, subscribe = true): FakeLeg {
  const log: string[] = []
  const leg: FakeLeg = {
    era,
    revision: '',
    capabilities: { resources: subscribe ? { subscribe: true } : {} },
    instructions: undefined,
    keepsState: true,
    closed: false,
    log,
    answer: async () => {},
    async request({ method, params }) {
      log.push(`${method.replace('resources/', '')} ${params['uri'] as string}`)
      await leg.answer()
      return { kind: 'result', value: {}, era } satisfies Reply
    },
    async listen(resources) {
      if (era === 'legacy') return
      log.push(`listen ${resources.join()}`)
      await leg.answer()
    },
    notify: () => {},
    setLogLevel: () => {},
    close: async () => {},
  } as Partial<Leg> as FakeLeg
  return leg
}

function slotOf(leg: FakeLeg, owner = 'o' as OwnerKey): Slot {
  return {
    owner,
    principal: ANONYMOUS,
    profile: NO_PROFILE,
    era: leg.era,
    opening: Promise.resolve(leg),
    signal: new Cancellation(),
    leg,
    inflight: 0,
    holds: 0,
    lastUsed: 0,
    missed: 0,
  }
}

const caller = (owner: string): Caller => ({ ...GATEWAY_CALLER, owner: owner as OwnerKey })

/** One connection for all, or one for each owner. */
function scene(era: Era, slotFor?: (caller: Caller) => Slot) {
  const leg = legOf(era)
  const state = { ready: true, leg, slot: slotOf(leg) }
  const faults: unknown[] = []
  const subscriptions = new Subscriptions({
    slotFor: slotFor ?? (() => state.slot),
    isReady: () => state.ready,
    onFault: (slot, error) => {
      faults.push(error)
      // As the backend does.
      if (error instanceof SessionLost && slot.leg) subscriptions.lost(slot.leg)
    },
  })
  const told: string[] = []
  const follow = (who: string, uri: string) =>
    subscriptions.follow(caller(who), uri, (update) => told.push(`${who} ${update['uri'] as string}`))
  const replace = () => {
    state.leg = legOf(era)
    state.slot = slotOf(state.leg)
    return state.leg
  }
  return { subscriptions, state, leg, told, follow, faults, replace }
}

/** Lets all that is ready to run do so. */
const turn = () => vi.advanceTimersByTimeAsync(1)

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 })
})
afterEach(() => {
  vi.useRealTimers()
})

test('legacy: the first subscribes, the last unsubscribes, whoever follows hears', async () => {
  const { subscriptions, leg, told, follow, state } = scene('legacy')
  const [endOne, endTwo] = await Promise.all([follow('one', 'a:x'), follow('two', 'a:x')])
  await follow('two', 'a:y')
  expect(leg.log).toEqual(['subscribe a:x', 'subscribe a:y'])
  expect(state.slot.holds).toBe(2)
  subscriptions.updated(leg, { uri: 'a:x' })
  expect(told.splice(0)).toEqual(['one a:x', 'two a:x'])
  endOne()
  endOne()
  await turn()
  subscriptions.updated(leg, { uri: 'a:x' })
  expect(told.splice(0)).toEqual(['two a:x'])
  endTwo()
  await turn()
  subscriptions.updated(leg, { uri: 'a:x' })
  expect(told).toEqual([])
  expect(leg.log).toEqual(['subscribe a:x', 'subscribe a:y', 'unsubscribe a:x'])
  expect(state.slot.holds).toBe(1)
})

test('modern: the server is told the whole set, as few times as possible', async () => {
  const { leg, follow, state } = scene('modern')
  const ends = await Promise.all(['a:1', 'a:2', 'a:3', 'a:2'].map((uri) => follow('one', uri)))
  expect(leg.log.at(-1)).toBe('listen a:1,a:2,a:3')
  expect(leg.log.length).toBeLessThan(3)
  for (const end of ends) end()
  await turn()
  expect(leg.log.at(-1)).toBe('listen ')
  expect(state.slot.holds).toBe(0)
})

test('each connection has subscriptions of its own', async () => {
  const legs = { one: legOf('legacy'), two: legOf('legacy') }
  const slots = { one: slotOf(legs.one), two: slotOf(legs.two) }
  const { subscriptions, told, follow } = scene('legacy', ({ owner }) => slots[owner as unknown as 'one' | 'two'])
  const end = await follow('one', 'a:x')
  await follow('two', 'a:x')
  subscriptions.updated(legs.two, { uri: 'a:x' })
  expect(told).toEqual(['two a:x'])
  end()
  await turn()
  expect(legs.one.log).toEqual(['subscribe a:x', 'unsubscribe a:x'])
  expect(legs.two.log).toEqual(['subscribe a:x'])
})

test('requests about one resource do not overtake each other', async () => {
  const { leg, follow } = scene('legacy')
  let release = (): void => {}
  leg.answer = () => new Promise((resolve) => (release = resolve))
  const first = follow('one', 'a:x')
  await turn()
  release()
  ;(await first)()
  await turn()
  // The server has not answered the unsubscription when the next one comes.
  const second = follow('two', 'a:x')
  await turn()
  expect(leg.log).toEqual(['subscribe a:x', 'unsubscribe a:x'])
  release()
  await turn()
  release()
  await second
  expect(leg.log).toEqual(['subscribe a:x', 'unsubscribe a:x', 'subscribe a:x'])
})

test.each<[followed: string, updated: string, heard: boolean]>([
  ['file:///a', 'file:///a/b/c', true],
  ['file:///a/', 'file:///a/b', true],
  ['file:///a', 'file:///ab', false],
  ['file:///a/b', 'file:///a', false],
  ['file:///a', 'file:///a?b', false],
  ['a:x', `a:x/${'y'.repeat(9000)}`, false],
])('%s hears of %.20s: %s', async (followed, updated, heard) => {
  const { subscriptions, leg, told, follow } = scene('legacy')
  await follow('one', followed)
  subscriptions.updated(leg, { uri: updated })
  expect(told).toEqual(heard ? [`one ${updated}`] : [])
})

test('what a server sends is passed on without the keys of its hop', async () => {
  const { subscriptions, leg } = scene('modern')
  const heard: JsonObject[] = []
  await subscriptions.follow(caller('one'), 'a:x', (update) => heard.push(update))
  subscriptions.updated(leg, { uri: 'a:x', _meta: { 'io.modelcontextprotocol/subscriptionId': 7, own: 1 }, more: 2 })
  subscriptions.updated(leg, { uri: 7 })
  subscriptions.updated(leg, {})
  expect(heard).toEqual([{ uri: 'a:x', _meta: { own: 1 }, more: 2 }])
})

test('a server that takes none, or not this one', async () => {
  const { follow, leg, state, faults } = scene('legacy')
  leg.answer = async () => {
    throw new GatewayError('BACKEND_ERROR', 'no', { jsonrpc: -32002 })
  }
  await expect(follow('one', 'a:x')).rejects.toMatchObject({ code: 'BACKEND_ERROR', jsonrpc: -32002 })
  expect(state.slot.holds).toBe(0)
  leg.answer = async () => {}
  await follow('one', 'a:x')
  state.slot = slotOf(legOf('modern', false))
  await expect(follow('one', 'a:y')).rejects.toMatchObject({ code: 'METHOD_UNKNOWN', jsonrpc: -32601 })
  expect(state.slot.holds).toBe(0)
  expect(faults).toHaveLength(2)
})

test('a forgotten session is opened anew, once', async () => {
  const { follow, leg, replace, state } = scene('legacy')
  leg.answer = async () => {
    replace()
    throw new SessionLost()
  }
  await follow('one', 'a:x')
  expect(state.leg.log).toEqual(['subscribe a:x'])
  state.leg.answer = async () => {
    throw new SessionLost()
  }
  await expect(follow('one', 'a:y')).rejects.toThrow(SessionLost)
})

test.each(['legacy', 'modern'] as const)('%s: after a loss all of it stands anew and is announced', async (era) => {
  const { subscriptions, follow, leg, replace, told } = scene(era)
  await follow('one', 'a:x')
  await follow('two', 'a:x')
  const end = await follow('two', 'a:y')
  const next = replace()
  subscriptions.lost(leg)
  end()
  subscriptions.updated(leg, { uri: 'a:x' })
  expect(told).toEqual([])
  await turn()
  expect(told.toSorted()).toEqual(['one a:x', 'two a:x'])
  expect(next.log).toEqual([era === 'legacy' ? 'subscribe a:x' : 'listen a:x'])
})

test('while the backend is away it is not asked, when it is back it is at once', async () => {
  const { subscriptions, follow, leg, replace, told, state } = scene('legacy')
  await follow('one', 'a:x')
  const next = replace()
  state.ready = false
  subscriptions.lost(leg)
  await vi.advanceTimersByTimeAsync(100_000)
  expect(next.log).toEqual([])
  state.ready = true
  subscriptions.wake()
  await turn()
  expect(told).toEqual(['one a:x'])
})

test('one that fails again is tried ever more slowly', async () => {
  const { subscriptions, follow, leg, replace, told } = scene('legacy')
  await follow('one', 'a:x')
  const next = replace()
  const asked: number[] = []
  next.answer = async () => {
    asked.push(Date.now())
    throw new GatewayError('BACKEND_UNREACHABLE', 'away')
  }
  subscriptions.lost(leg)
  await vi.advanceTimersByTimeAsync(80_000)
  const waits = asked.slice(1).map((at, index) => at - (asked[index] ?? 0))
  expect(waits).toEqual([250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000])
  next.answer = async () => {}
  await vi.advanceTimersByTimeAsync(30_000)
  expect(told).toEqual(['one a:x'])
  expect(vi.getTimerCount()).toBe(0)
})

test('a gap: a modern stream has its set, of a legacy session nobody knows', async () => {
  const modern = scene('modern')
  await modern.follow('one', 'a:x')
  modern.leg.log.length = 0
  modern.subscriptions.gap(modern.leg)
  expect(modern.told).toEqual(['one a:x'])
  expect(modern.leg.log).toEqual([])

  const legacy = scene('legacy')
  await legacy.follow('one', 'a:x')
  legacy.subscriptions.gap(legacy.leg)
  await turn()
  expect(legacy.leg.log).toEqual(['subscribe a:x', 'subscribe a:x'])
  expect(legacy.told).toEqual(['one a:x'])
  expect(legacy.state.slot.holds).toBe(1)
})

test('a loss while the server is being told is a failure of that request only', async () => {
  const { subscriptions, follow, leg, replace, told } = scene('legacy')
  await follow('one', 'a:x')
  let fail = (_error: Error): void => {}
  leg.answer = () => new Promise((_resolve, reject) => (fail = reject))
  const pending = follow('two', 'a:y')
  await turn()
  const next = replace()
  subscriptions.lost(leg)
  fail(new SessionLost())
  await pending
  await turn()
  expect(next.log.toSorted()).toEqual(['subscribe a:x', 'subscribe a:y'])
  expect(told).toEqual(['one a:x'])
})

test('after the end nothing is made anew', async () => {
  const { subscriptions, follow, leg, replace } = scene('legacy')
  await follow('one', 'a:x')
  const next = replace()
  subscriptions.close()
  subscriptions.lost(leg)
  await vi.advanceTimersByTimeAsync(100_000)
  expect(next.log).toEqual([])
  expect(vi.getTimerCount()).toBe(0)
})
