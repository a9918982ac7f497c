import { afterEach, expect, test, vi } from 'vitest'
import { createSemaphore } from './semaphore.ts'

afterEach(() => {
  vi.useRealTimers()
})

const LIMITS = { atOnce: 2, waiting: 3, patienceMs: 5000 }

function bench() {
  const semaphore = createSemaphore(LIMITS, () => new Error('busy'))
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  const ask = (name: string): Promise<string> => {
    const answer = semaphore(async () => {
      begun.push(name)
      await new Promise<void>((resolve) => {
        ends.set(name, resolve)
      })
      return name
    })
    answer.catch(() => {})
    return answer
  }
  const settled = () => vi.advanceTimersByTimeAsync(0)
  return { ask, begun, settled, semaphore, end: (name: string) => ends.get(name)?.() }
}

test('so many at a time, the others in turn, and no more than there is room for', async () => {
  vi.useFakeTimers()
  const { ask, begun, settled, end } = bench()
  const answers = ['a', 'b', 'c', 'd', 'e'].map(ask)
  await expect(ask('f')).rejects.toThrow('busy')
  expect(begun).toEqual(['a', 'b'])
  end('b')
  await settled()
  expect(begun).toEqual(['a', 'b', 'c'])
  void ask('g')
  for (const name of ['a', 'c', 'd', 'e']) {
    end(name)
    await settled()
  }
  expect(begun).toEqual(['a', 'b', 'c', 'd', 'e', 'g'])
  expect(await Promise.all(answers)).toEqual(['a', 'b', 'c', 'd', 'e'])
})

test('who waits too long is refused, and leaves room', async () => {
  vi.useFakeTimers()
  const { ask, begun, settled, end } = bench()
  const [, , late] = ['a', 'b', 'c'].map(ask)
  const refused = expect(late).rejects.toThrow('busy')
  await vi.advanceTimersByTimeAsync(4999)
  void ask('d')
  await vi.advanceTimersByTimeAsync(1)
  await refused
  end('a')
  await settled()
  expect(begun).toEqual(['a', 'b', 'd'])
})

test('what fails leaves its place as well', async () => {
  const { semaphore } = bench()
  for (let times = 0; times < 10; times++) {
    await expect(semaphore(() => Promise.reject(new Error('failed')))).rejects.toThrow('failed')
  }
  expect(await semaphore(() => Promise.resolve(1))).toBe(1)
})

test('without patience it waits for its turn, whatever becomes of the one before', async () => {
  const semaphore = createSemaphore({ atOnce: 1, waiting: 1 }, () => new Error('full'))
  const { promise, reject } = Promise.withResolvers<never>()
  const first = semaphore(() => promise)
  const second = semaphore(async () => 'second')
  await expect(semaphore(async () => 'third')).rejects.toThrow('full')
  reject(new Error('broken'))
  await expect(first).rejects.toThrow('broken')
  expect(await second).toBe('second')
})
