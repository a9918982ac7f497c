import { expect, test } from 'vitest'
import type { BatchMember } from '../../protocol/batch.ts'
import { readMessages } from './messages.ts'

function read(text: string): BatchMember[] {
  const messages: BatchMember[] = []
  readMessages(text, { take: (message) => messages.push(message) })
  return messages
}

test('one message', () => {
  expect(read('{"jsonrpc":"2.0","method":"m"}')).toEqual([{ kind: 'notification', method: 'm', params: {} }])
})

test('a batch is taken apart in its order, malformed members included', () => {
  const text = '[{"jsonrpc":"2.0","method":"m"},{"jsonrpc":"2.0","id":1,"result":{}},7]'
  expect(read(text).map(({ kind }) => kind)).toEqual(['notification', 'response', 'invalid'])
})

test('what is no message throws', () => {
  expect(() => read('{')).toThrow('not valid JSON')
  expect(() => read('[]')).toThrow('must not be empty')
})
