import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Core } from '../model/call.ts'
import { GATEWAY_CALLER } from '../model/call.ts'
import type { Ground } from './follows.ts'
import { Follows } from './follows.ts'

interface FakeGround extends Ground {
  /** `+` followed, `-` left. */
  log: string[]
  seat: object | undefined
}

/** `seat` absent: the resource is not there. */
function groundOf(seat: object | undefined, wait: () => Promise<void> = async () => {}): FakeGround {
  const log: string[] = []
  const follow: Core['follow'] = async (uri) => {
    await wait()
    if (!ground.seat) throw new Error('not available')
    log.push(`+${uri}`)
    return () => void log.push(`-${uri}`)
  }
  const ground: FakeGround = { core: { follow }, seatOf: () => ground.seat, log, seat }
  return ground
}

function scene(ground: FakeGround) {
  const state = { ground }
  const follows = new Follows(() => state.ground)
  const told: string[] = []
  const follow = (uri: string) =>
    follows.follow(uri, GATEWAY_CALLER, (update) => void told.push(update['uri'] as string))
  const move = async (next: FakeGround) => {
    state.ground = next
    follows.move()
    await vi.advanceTimersByTimeAsync(1)
  }
  return { follows, follow, told, move, state }
}

const A = { name: 'a' }
const B = { name: 'b' }

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test('the same backend in another generation: nobody notices', async () => {
  const [old, next] = [groundOf(A), groundOf(A)]
  const { follow, told, move } = scene(old)
  const end = await follow('a:x')
  await move(next)
  expect([old.log, next.log, told]).toEqual([['+a:x', '-a:x'], ['+a:x'], []])
  end()
  end()
  expect(next.log).toEqual(['+a:x', '-a:x'])
})

test('another backend: it may have changed', async () => {
  const { follow, told, move } = scene(groundOf(A))
  await follow('a:x')
  await move(groundOf(B))
  expect(told).toEqual(['a:x'])
})

test('what is gone is looked for until it is there, or nobody wants it', async () => {
  const { follow, follows, told, move } = scene(groundOf(A))
  const end = await follow('a:x')
  const gone = groundOf(undefined)
  await move(gone)
  expect(told).toEqual([])
  gone.seat = A
  follows.retry()
  await vi.advanceTimersByTimeAsync(1)
  expect(told).toEqual(['a:x'])
  const again = groundOf(undefined)
  await move(again)
  again.seat = B
  await vi.advanceTimersByTimeAsync(1000)
  expect(told).toEqual(['a:x', 'a:x'])
  await move(groundOf(undefined))
  end()
  await vi.advanceTimersByTimeAsync(100_000)
  expect(vi.getTimerCount()).toBe(0)
})

test('a reload while it is being followed', async () => {
  let go = (): void => {}
  const old = groundOf(A, () => new Promise((resolve) => (go = resolve)))
  const { follow, move } = scene(old)
  const following = follow('a:x')
  const next = groundOf(A)
  await move(next)
  go()
  const end = await following
  expect([old.log, next.log]).toEqual([['+a:x', '-a:x'], ['+a:x']])
  end()
  expect(next.log).toEqual(['+a:x', '-a:x'])
})

test('a client that leaves takes everything along, what is on its way included', async () => {
  let go = (): void => {}
  const ground = groundOf(A)
  const { follow, follows, state } = scene(ground)
  await follow('a:x')
  state.ground = groundOf(A, () => new Promise((resolve) => (go = resolve)))
  const late = follow('a:y')
  follows.release(GATEWAY_CALLER.owner)
  expect(ground.log).toEqual(['+a:x', '-a:x'])
  go()
  await expect(late).rejects.toMatchObject({ code: 'CANCELLED' })
  expect(state.ground.log).toEqual(['+a:y', '-a:y'])
})

test('what cannot be followed leaves no trace', async () => {
  const { follow, move } = scene(groundOf(undefined))
  await expect(follow('a:x')).rejects.toThrow('not available')
  const next = groundOf(A)
  await move(next)
  expect(next.log).toEqual([])
  expect(vi.getTimerCount()).toBe(0)
})
