import { expect, test } from 'vitest'
import { SSE_KEEP_ALIVE, SseReader, carriesPosition, sseMessage, type SseEvent } from './sse.ts'

function read(...chunks: (string | Buffer)[]): SseEvent[] {
  const events: SseEvent[] = []
  const reader = new SseReader(
    (event) => events.push(event),
    () => events.push({ event: 'overflow', data: '', id: '' }),
    50,
  )
  for (const chunk of chunks) reader.push(Buffer.from(chunk))
  return events
}
const message = (data: string, more: Partial<SseEvent> = {}) => ({ event: 'message', id: undefined, data, ...more })

test('fields', () => {
  expect(read('event: x\nid: 1\ndata: a\ndata:b\n\n')).toEqual([{ event: 'x', id: '1', data: 'a\nb' }])
  expect(read(SSE_KEEP_ALIVE, 'retry: 5\nunknown: x\ndata\n\n')).toEqual([message('')])
  expect(read('event: lost\n\ndata: x\n\n')).toEqual([message('x')])
  expect(read('id: a\0b\ndata: x\n\n')).toEqual([message('x')])
  expect(read('data:  two spaces\n\n')).toEqual([message(' two spaces')])
})

test('line ends of every kind, split anywhere', () => {
  expect(read('data: a\r', '\n\r', '\ndata: b\r\r', 'data: c\n\n')).toEqual([message('a'), message('b'), message('c')])
})

test('a byte order mark at the start only, split too', () => {
  const mark = Buffer.from('\uFEFF')
  expect(read(mark.subarray(0, 1), mark.subarray(1), 'data: a\n\n\uFEFFdata: b\n\n')).toEqual([message('a')])
})

test('an event that is not finished does not count', () => {
  expect(read('data: a\n')).toEqual([])
})

test('an event that is too large ends it', () => {
  expect(read('data: ok\n\n', `data: ${'x'.repeat(60)}`, '\n\ndata: late\n\n').map(({ event }) => event)).toEqual([
    'message',
    'overflow',
  ])
})

test('what we write', () => {
  expect(sseMessage('{}')).toBe('event: message\ndata: {}\n\n')
})

test('the position in a stream: ids with and without data, taken back by an empty one, and the wait', () => {
  const reader = new SseReader(
    () => {},
    () => {},
    1000,
  )
  const after = (text: string) => {
    reader.push(Buffer.from(text))
    return [reader.lastEventId, reader.retryMs]
  }
  expect(after('data: x\n\n')).toEqual([undefined, undefined])
  expect(after('id: a\nretry: 250\ndata: \n\n')).toEqual(['a', 250])
  expect(after('id: b\n\n')).toEqual(['b', 250])
  expect(after('id: half')).toEqual(['b', 250])
  expect(after('\ndata: 1\n\nretry: -3\nretry: soon\n\n')).toEqual(['half', 250])
  expect(after('id:\ndata: 2\n\n')).toEqual([undefined, 250])
})

test('a chunk tells whether it may carry a position', () => {
  const carries = (text: string) => carriesPosition(Buffer.from(text))
  expect(['id: 1\ndata: x\n\n', 'data: x\nid: 1\n\n', 'retry: 5\n\n', 'data: x\nretry:5\n\n'].map(carries)).toEqual([
    true,
    true,
    true,
    true,
  ])
  expect(['data: id: 1\n\n', 'event: message\ndata: {"id":1}\n\n', ''].map(carries)).toEqual([false, false, false])
})
