import { afterEach, expect, test, vi } from 'vitest'
import { createQueue } from './queue.ts'

afterEach(() => {
  vi.useRealTimers()
})

const LIMITS = { atOnce: 2, waiting: 3, patienceMs: 5000 }

function bench() {
  const queue = createQueue(LIMITS, () => new Error('busy'))
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  const ask = (name: string): Promise<string> => {
    const answer = queue(async () => {
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
  return { ask, begun, settled, queue, end: (name: string) => ends.get(name)?.() }
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
  const { queue } = bench()
  for (let times = 0; times < 10; times++) {
    await expect(queue(() => Promise.reject(new Error('failed')))).rejects.toThrow('failed')
  }
  expect(await queue(() => Promise.resolve(1))).toBe(1)
})
