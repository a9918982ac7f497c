import { expect, test } from 'vitest'
import { ConsentNeeded } from '../../model/credential.ts'
import { Secret } from '../../model/secret.ts'
import { createKeptTokens } from './kept-tokens.ts'

interface Scripted {
  lifeMs?: number
  notAfter?: number
  value?: string
  error?: Error
}

function keeping(script: (count: number, subject: string) => Scripted = () => ({}), max?: number) {
  const state = { time: 1_000_000, asked: [] as string[] }
  const kept = createKeptTokens<string>({
    now: () => state.time,
    ...(max !== undefined && { max }),
    obtain: async (subject) => {
      const count = state.asked.push(subject)
      const { lifeMs, notAfter, value = `${subject}${count}`, error } = script(count, subject)
      await Promise.resolve()
      if (error) throw error
      const expiresAt = lifeMs === undefined ? undefined : state.time + lifeMs
      return { token: { value: new Secret(value), expiresAt, scopes: [] }, notAfter }
    },
  })
  return { kept, state }
}

const shown = (value: string) => ['authorization', `Bearer ${value}`]
const settled = () => new Promise((done) => setImmediate(done))

test('one request serves all who wait, then the token is there at once', async () => {
  const { kept, state } = keeping()
  const all = await Promise.all([kept.headers('k', 'a'), kept.headers('k', 'a'), kept.headers('k', 'a')])
  expect(all).toEqual([shown('a1'), shown('a1'), shown('a1')])
  expect(kept.headers('k', 'a')).toEqual(shown('a1'))
  expect(kept.headers('k', 'a')).toBe(kept.headers('k', 'a'))
  expect(state.asked).toEqual(['a'])
})

test('keys are kept apart', async () => {
  const { kept } = keeping()
  expect(await Promise.all([kept.headers('k', 'a'), kept.headers('l', 'b')])).toEqual([shown('a1'), shown('b2')])
  expect(kept.headers('k', 'a')).toEqual(shown('a1'))
  expect(kept.headers('l', 'b')).toEqual(shown('b2'))
})

test('after 80 % of its life a token is renewed beside the call', async () => {
  const { kept, state } = keeping(() => ({ lifeMs: 100_000 }))
  await kept.headers('k', 'a')
  state.time += 79_999
  expect(kept.headers('k', 'a')).toEqual(shown('a1'))
  expect(state.asked).toHaveLength(1)
  state.time += 1
  expect([kept.headers('k', 'a'), kept.headers('k', 'a')]).toEqual([shown('a1'), shown('a1')])
  await settled()
  expect(kept.headers('k', 'a')).toEqual(shown('a2'))
  expect(state.asked).toHaveLength(2)
})

test('while renewing fails the old token is shown, tried again once a second, until shortly before its end', async () => {
  const { kept, state } = keeping((count) => (count === 1 ? { lifeMs: 100_000 } : { error: new Error(`no ${count}`) }))
  await kept.headers('k', 'a')
  state.time += 80_000
  for (const wait of [0, 0, 999, 1]) {
    state.time += wait
    expect(kept.headers('k', 'a')).toEqual(shown('a1'))
    await settled()
  }
  expect(state.asked).toHaveLength(3)
  state.time += 9000
  await expect(kept.headers('k', 'a')).rejects.toThrow('no 4')
})

test('a token that ends at once serves those who wait and nobody else', async () => {
  const { kept } = keeping(() => ({ lifeMs: 0 }))
  expect(await Promise.all([kept.headers('k', 'a'), kept.headers('k', 'a')])).toEqual([shown('a1'), shown('a1')])
  expect(await kept.headers('k', 'a')).toEqual(shown('a2'))
})

test('a token that must not outlive something else is asked for anew then, not ahead of time', async () => {
  const { kept, state } = keeping(() => ({ lifeMs: 1_000_000, notAfter: 1_050_000 }))
  await kept.headers('k', 'a')
  state.time = 1_049_999
  expect(kept.headers('k', 'a')).toEqual(shown('a1'))
  expect(state.asked).toHaveLength(1)
  state.time = 1_050_000
  expect(await kept.headers('k', 'a')).toEqual(shown('a2'))
})

test('a failure answers for a second, a missing sign-in not at all', async () => {
  const consent = new ConsentNeeded('sign in', { url: 'u', id: 'i', settled: Promise.resolve() })
  const { kept, state } = keeping((count) => ({ error: count === 1 ? new Error('down') : consent }))
  for (let times = 0; times < 3; times++) await expect(kept.headers('k', 'a')).rejects.toThrow('down')
  expect(state.asked).toHaveLength(1)
  state.time += 1000
  for (let times = 0; times < 2; times++) await expect(kept.headers('k', 'a')).rejects.toBe(consent)
  expect(state.asked).toHaveLength(3)
})

test('the oldest token gives way', async () => {
  const { kept } = keeping(() => ({ lifeMs: 100_000 }), 2)
  for (const key of ['a', 'b', 'c']) await kept.headers(key, key)
  expect(kept.headers('b', 'b')).toEqual(shown('b2'))
  expect(kept.headers('c', 'c')).toEqual(shown('c3'))
  expect(kept.headers('a', 'a')).toBeInstanceOf(Promise)
})

test('a refused token is replaced once, whoever comes with it', async () => {
  const { kept, state } = keeping()
  await kept.headers('k', 'a')
  const answers = await Promise.all([1, 2, 3].map(() => kept.replace('k', 'a', shown('a1'))))
  expect(answers).toEqual([true, true, true])
  expect(await kept.replace('k', 'a', shown('a1'))).toBe(true)
  expect(kept.headers('k', 'a')).toEqual(shown('a2'))
  expect(state.asked).toHaveLength(2)
})

test('the same token again is nothing new, and a backend that refuses everything costs one request a second', async () => {
  const { kept, state } = keeping(() => ({ value: 'same' }))
  await kept.headers('k', 'a')
  expect(await kept.replace('k', 'a', shown('same'))).toBe(false)
  expect(await kept.replace('k', 'a', shown('same'))).toBe(false)
  expect(state.asked).toHaveLength(2)
  state.time += 1000
  expect(await kept.replace('k', 'a', shown('same'))).toBe(false)
  expect(state.asked).toHaveLength(3)
})

test('what is forgotten while it is under way is not kept', async () => {
  const { kept } = keeping()
  const first = kept.headers('k', 'a')
  kept.forget((key) => key === 'k')
  expect(await first).toEqual(shown('a1'))
  expect(await kept.headers('k', 'a')).toEqual(shown('a2'))
})

test('a fresh token costs less than two microseconds', async () => {
  const { kept } = keeping(() => ({ lifeMs: 1_000_000 }))
  await kept.headers('k', 'a')
  const rounds = Array.from({ length: 5 }, () => {
    const start = performance.now()
    for (let count = 0; count < 20_000; count++) void kept.headers('k', 'a')
    return ((performance.now() - start) / 20_000) * 1000
  })
  expect(Math.min(...rounds)).toBeLessThan(2)
})
