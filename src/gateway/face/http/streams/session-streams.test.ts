import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import { describe, expect, test, vi } from 'vitest'
import type { ResultStream } from '../../../../model/call.ts'
import { EventMemory } from './event-memory.ts'
import { SessionStreams } from './session-streams.ts'

/** One connection to a client that reads everything, or nothing. */
class Connection extends EventEmitter {
  text = ''
  status = 0
  writableLength = 0
  writableEnded = false
  writableFinished = false
  destroyed = false
  writeHead(status: number): this {
    this.status = status
    return this
  }
  flushHeaders(): void {}
  write(text: string | Buffer): boolean {
    this.text += String(text)
    return true
  }
  end(text = ''): void {
    this.text += text
    this.writableEnded = this.writableFinished = true
    this.emit('close')
  }
  destroy(): void {
    if (this.destroyed) return
    this.destroyed = true
    this.emit('close')
  }
  get res(): ServerResponse {
    return this as unknown as ServerResponse
  }
  get data(): string[] {
    return [...this.text.matchAll(/^data: (.+)$/gm)].map(([, data = '']) => data)
  }
  get ids(): string[] {
    return [...this.text.matchAll(/^id: (.+)$/gm)].map(([, id = '']) => id)
  }
}

const streamsOf = (revision = '2025-11-25') => new SessionStreams(revision, new EventMemory(1e9))
const opened = (streams: SessionStreams, lastEventId?: string) => {
  const connection = new Connection()
  streams.get(connection.res, lastEventId)
  return connection
}

test('a stream is primed for clients that know what that is, and for no others', () => {
  const modern = opened(streamsOf())
  expect(modern.text).toBe('id: 1_1\nretry: 1000\ndata: \n\n')
  const streams = streamsOf('2025-06-18')
  const older = opened(streams)
  streams.send('a')
  expect(older.text).toBe('id: 1_1\nevent: message\ndata: a\n\n')
})

test('each message goes to the newest GET stream that is open, and to that one only', () => {
  const streams = streamsOf()
  const [first, second, third] = [opened(streams), opened(streams), opened(streams)] as const
  streams.send('a')
  third.destroy()
  streams.send('b')
  second.destroy()
  streams.send('c')
  expect([first.data, second.data, third.data]).toEqual([['c'], ['b'], ['a']])
})

test('the fifth GET stream closes the oldest, a lost one before an open one; what was closed is over', () => {
  const streams = streamsOf()
  const all = [1, 2, 3, 4].map(() => opened(streams))
  all[1]?.destroy()
  opened(streams)
  expect(all.map(({ writableEnded }) => writableEnded)).toEqual([false, false, false, false])
  opened(streams)
  expect(all.map(({ writableEnded }) => writableEnded)).toEqual([true, false, false, false])
  // A client that comes back for it would push out the next one, and so on for ever.
  expect(opened(streams, '1_1').status).toBe(204)
})

test('while no GET stream is open, messages wait for the client of the one that was lost last', () => {
  const streams = streamsOf()
  const [first, second] = [opened(streams), opened(streams)] as const
  first.destroy()
  second.destroy()
  expect(streams.connected).toBe(false)
  expect(streams.send('a')).toBe(true)
  expect(opened(streams, '1_1').data).toEqual([])
  const resumed = opened(streams, '2_1')
  streams.send('b')
  expect([resumed.data, resumed.ids]).toEqual([
    ['a', 'b'],
    ['2_2', '2_3'],
  ])
})

test('a client that was never given an id cannot come back, so nothing waits for it', () => {
  const streams = streamsOf('2025-03-26')
  opened(streams).destroy()
  expect(streams.send('a')).toBe(false)
})

test('what waits for a client that is away, or does not read, is bounded', () => {
  const streams = streamsOf()
  const connection = opened(streams)
  connection.writableLength = 2 ** 20 + 1
  const message = 'x'.repeat(100_000)
  let taken = 0
  while (streams.send(message)) taken++
  expect(connection.destroyed).toBe(true)
  expect(taken).toBeLessThan(12)
  const resumed = opened(streams, '1_1')
  expect(resumed.data).toHaveLength(taken)
  expect(streams.send('b')).toBe(true)
})

test('an answer goes on without its connection, and is had by whoever comes back', () => {
  const streams = streamsOf()
  const post = new Connection()
  const answer = streams.open(post.res)
  answer.send('a')
  post.destroy()
  answer.send('b')
  const resumed = opened(streams, '1_1')
  expect(resumed.data).toEqual(['a', 'b'])
  // It is no GET stream: nothing else comes on it.
  expect(streams.connected).toBe(false)
  answer.finish('c', '1')
  expect([resumed.data, resumed.writableEnded]).toEqual([['a', 'b', 'c'], true])
  expect(answer.send('late')).toBe(false)
  const again = opened(streams, '1_2')
  expect([again.data, again.writableEnded]).toEqual([['b', 'c'], true])
  expect(opened(streams, '1_4').status).toBe(204)
})

test('an answer that is given while nobody listens is had later', () => {
  const streams = streamsOf()
  const post = new Connection()
  const answer = streams.open(post.res)
  post.destroy()
  answer.finish('a', '1')
  expect(opened(streams, '1_1').data).toEqual(['a'])
})

test('only one connection carries a stream', () => {
  const streams = streamsOf()
  const post = new Connection()
  const answer = streams.open(post.res)
  const resumed = opened(streams, '1_1')
  answer.finish('a', '1')
  expect([post.destroyed, post.data, resumed.data]).toEqual([true, [], ['a']])
})

test('a large result that cannot be kept leaves word that it was lost', () => {
  const streams = streamsOf()
  const post = new Connection()
  const answer = streams.open(post.res)
  post.destroy()
  let aborted = false
  answer.pass({ abort: () => (aborted = true) } as unknown as ResultStream, '7')
  expect(aborted).toBe(true)
  const [lost = ''] = opened(streams, '1_1').data
  expect(JSON.parse(lost)).toMatchObject({ id: 7, error: { code: -32603 } })
  const other = streams.open(new Connection().res)
  other.finish('x'.repeat(3_000_000), '8')
  expect(JSON.parse(opened(streams, '2_1').data[0] ?? '')).toMatchObject({ id: 8, error: { code: -32603 } })
})

test.each(['', '1', '1_2', '9_1', '__proto___1', `1_${'9'.repeat(50)}`])('%s is no event: a fresh stream', (id) => {
  const streams = streamsOf()
  opened(streams)
  const fresh = opened(streams, id)
  streams.send('a')
  expect([fresh.ids[0], fresh.data]).toEqual(['2_1', ['a']])
})

test('what nobody comes back for is forgotten', () => {
  const memory = new EventMemory(1e9)
  const streams = new SessionStreams('2025-11-25', memory)
  opened(streams).destroy()
  const answer = streams.open(new Connection().res)
  answer.finish('a', '1')
  const later = Date.now() + 10 * 60_000
  streams.sweep(later)
  // The lost stream has ended with that, and is forgotten in its turn.
  streams.sweep(later)
  expect(memory.bytes).toBe(0)
  const [get, post] = [opened(streams), new Connection()]
  const last = streams.open(post.res)
  streams.close()
  expect(get.writableEnded).toBe(true)
  // What runs is cancelled, and says so.
  last.finish('b', '1')
  expect(post.data).toEqual(['b'])
  expect(memory.bytes).toBe(0)
})

describe('a client that is let go', () => {
  const call = (streams: SessionStreams) => {
    const connection = new Connection()
    const stream = streams.open(connection.res)
    return { connection, stream }
  }

  test('is told when to come back, and has the rest over the connection that it comes with', () => {
    const streams = streamsOf()
    const { connection, stream } = call(streams)
    stream.letGo(250)
    expect(connection.text).toBe('id: 1_1\nretry: 1000\ndata: \n\nretry: 250\n\n')
    expect(connection.writableEnded).toBe(true)
    stream.send('a')
    const back = opened(streams, '1_1')
    stream.letGo(300)
    expect(back.data).toEqual(['a'])
    expect(back.writableEnded).toBe(true)
    stream.finish('{"answer":1}', '7')
    expect(opened(streams, back.ids.at(-1)).data).toEqual(['{"answer":1}'])
  })

  test('has a result that is too large to be kept, within a minute', () => {
    vi.useFakeTimers()
    try {
      const large = JSON.stringify('x'.repeat(3 * 1024 * 1024))
      const streams = streamsOf()
      const first = call(streams)
      first.stream.letGo(250)
      first.stream.finish(large, '7')
      vi.advanceTimersByTime(59_000)
      const back = opened(streams, '1_1')
      expect(back.data).toEqual([large])
      expect(back.writableEnded).toBe(true)
      const second = call(streams)
      second.stream.letGo(250)
      second.stream.finish(large, '8')
      vi.advanceTimersByTime(60_000)
      expect(opened(streams, '2_1').data).toEqual([expect.stringContaining('"id":8,"error"')])
    } finally {
      vi.useRealTimers()
    }
  })

  test('is not, when it would not know how to come back', () => {
    const streams = streamsOf('2025-06-18')
    const { connection, stream } = call(streams)
    stream.letGo(250)
    expect(connection.writableEnded).toBe(false)
  })
})
