import { expect, test } from 'vitest'
import type { OwnerKey } from '../../model/ids.ts'
import { GATEWAY_OWNER } from '../../model/ids.ts'
import { ANONYMOUS } from '../../model/principal.ts'
import { NO_PROFILE } from '../../model/profile.ts'
import type { Leg } from '../leg.ts'
import { LegPool } from './pool.ts'

const ME = 'session:me' as OwnerKey
const YOU = 'session:you' as OwnerKey

const as = (owner: OwnerKey) => ({ owner, principal: ANONYMOUS })

function fakeLeg() {
  const leg = { closed: false, close: async () => void (leg.closed = true) }
  return leg as unknown as Leg
}

function setup(maxPerBackend = 2) {
  const clock = { now: 0 }
  return { clock, pool: new LegPool({ maxPerBackend, idleMs: 100 }, () => clock.now) }
}

/** A connection that is up. */
async function opened(pool: LegPool, owner: OwnerKey, leg = fakeLeg()) {
  const slot = pool.open('legacy', as(owner), NO_PROFILE, async () => leg)
  await slot.opening
  return { slot, leg }
}

test('connections are kept by era and owner', async () => {
  const { pool } = setup()
  const { slot } = await opened(pool, ME)
  expect(pool.find('legacy', ME, NO_PROFILE)).toBe(slot)
  expect(pool.find('modern', ME, NO_PROFILE)).toBeUndefined()
  expect(pool.find('legacy', YOU, NO_PROFILE)).toBeUndefined()
  expect(pool.owned(ME)).toEqual([slot])
})

test('an attempt that fails is forgotten', async () => {
  const { pool } = setup()
  const slot = pool.open('legacy', as(ME), NO_PROFILE, async () => Promise.reject(new Error('no')))
  await expect(slot.opening).rejects.toThrow('no')
  expect(pool.find('legacy', ME, NO_PROFILE)).toBeUndefined()
})

test('the idle connection that waited longest makes room; one in use never does', async () => {
  const { pool, clock } = setup()
  const mine = await opened(pool, ME)
  clock.now = 1
  const yours = await opened(pool, YOU)
  mine.slot.inflight = 1
  await opened(pool, 'session:third' as OwnerKey)
  expect([mine.leg.closed, yours.leg.closed]).toEqual([false, true])
  pool.find('legacy', 'session:third' as OwnerKey, NO_PROFILE)!.inflight = 1
  expect(() => pool.open('legacy', as(YOU), NO_PROFILE, async () => fakeLeg())).toThrow(
    expect.objectContaining({ code: 'BACKEND_BUSY' }),
  )
})

test('a connection over which something is followed is in use', async () => {
  const { pool, clock } = setup(1)
  const { slot, leg } = await opened(pool, ME)
  slot.holds = 1
  clock.now = 1000
  pool.sweep()
  expect(leg.closed).toBe(false)
  expect(() => pool.open('legacy', as(YOU), NO_PROFILE, async () => fakeLeg())).toThrow(
    expect.objectContaining({ code: 'BACKEND_BUSY' }),
  )
  slot.holds = 0
  pool.sweep()
  expect(pool.owned(ME)).toEqual([])
})

test("the gateway's own connection takes no place and goes to the first client, unused", async () => {
  const { pool } = setup(1)
  const { slot: own, leg } = await opened(pool, GATEWAY_OWNER)
  own.inflight = 1
  expect(pool.adopt('legacy', as(ME))).toBeUndefined()
  own.inflight = 0
  const slot = pool.adopt('legacy', as(ME))
  expect(slot?.leg).toBe(leg)
  expect(pool.find('legacy', GATEWAY_OWNER, NO_PROFILE)).toBeUndefined()
  expect(pool.find('legacy', ME, NO_PROFILE)).toBe(slot)
  expect(pool.adopt('legacy', as(YOU))).toBeUndefined()
})

test('what is idle for too long or lost is swept, what is in use or our own is not', async () => {
  const { pool, clock } = setup(5)
  const own = await opened(pool, GATEWAY_OWNER)
  const mine = await opened(pool, ME)
  const yours = await opened(pool, YOU)
  yours.slot.inflight = 1
  clock.now = 100
  pool.sweep()
  await Promise.resolve()
  expect(mine.leg.closed).toBe(false)
  clock.now = 101
  pool.sweep()
  await new Promise(setImmediate)
  expect([own, mine, yours].map(({ leg }) => leg.closed)).toEqual([false, true, false])
  await own.leg.close()
  pool.sweep()
  expect(pool.find('legacy', GATEWAY_OWNER, NO_PROFILE)).toBeUndefined()
})

test('an owner that leaves takes its connections along, of both eras', async () => {
  const { pool } = setup(5)
  const mine = await opened(pool, ME)
  const modern = fakeLeg()
  await pool.open('modern', as(ME), NO_PROFILE, async () => modern).opening
  const yours = await opened(pool, YOU)
  await pool.dropOwner(ME)
  expect([mine.leg.closed, modern.closed, yours.leg.closed]).toEqual([true, true, false])
  await pool.close()
  expect(yours.leg.closed).toBe(true)
})
