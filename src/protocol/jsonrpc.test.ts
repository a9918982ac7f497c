import { expect, test } from 'vitest'
import type { JsonValue } from '../model/json.ts'
import {
  classifyMessage,
  errorText,
  methodNotFound,
  notificationText,
  parseMessage,
  resultText,
  upstreamId,
} from './jsonrpc.ts'

const request = (more: Record<string, JsonValue>) => classifyMessage({ jsonrpc: '2.0', method: 'm', ...more })

test('each kind of message', () => {
  expect(request({ id: 1, params: { a: 1 } })).toEqual({ kind: 'request', id: '1', method: 'm', params: { a: 1 } })
  expect(request({})).toEqual({ kind: 'notification', method: 'm', params: {} })
  expect(classifyMessage({ jsonrpc: '2.0', id: 'a', result: { b: 1 } })).toEqual({
    kind: 'response',
    id: 'a',
    result: { b: 1 },
  })
  expect(classifyMessage({ jsonrpc: '2.0', id: 1, error: { code: -1, message: 'no', data: [1] } })).toEqual({
    kind: 'error',
    id: 1,
    error: { code: -1, message: 'no', data: [1] },
  })
  expect(classifyMessage([1])).toEqual({ kind: 'batch', items: [1] })
})

test('an error without id or message is still an error', () => {
  expect(classifyMessage({ jsonrpc: '2.0', error: { code: 5 } })).toEqual({
    kind: 'error',
    id: null,
    error: { code: 5, message: '' },
  })
})

test.each(['0', '""', '1.5', '"1"', '12345678901234567890', '1e400'])('the id %s is kept as its text', (id) => {
  expect(parseMessage(`{"jsonrpc":"2.0","id":${id},"method":"m"}`)).toMatchObject({ kind: 'request', id })
})

test.each([null, true, {}, [], { rawJSON: '1' }] satisfies JsonValue[])('the id %j is refused', (id) => {
  expect(request({ id })).toMatchObject({ kind: 'invalid', id: 'null' })
})

test('a fault keeps the id as far as there is one', () => {
  expect(classifyMessage({ id: 'x', method: 'm' })).toMatchObject({ kind: 'invalid', id: '"x"' })
  expect(request({ id: 3, params: [] })).toMatchObject({ kind: 'invalid', id: '3' })
  expect(classifyMessage('text')).toMatchObject({ kind: 'invalid', id: 'null' })
})

test('what is not JSON is a parse error', () => {
  for (const text of ['', '{', '\ufeff{}', '{"a":1e400,}']) {
    expect(() => parseMessage(text)).toThrow(expect.objectContaining({ code: 'PARSE_ERROR' }))
  }
})

test('1,000 levels are taken, more are refused with the id of the message', () => {
  const nested = (levels: number) => {
    const params = '{"a":'.repeat(levels - 1) + '{}' + '}'.repeat(levels - 1)
    return parseMessage(`{"jsonrpc":"2.0","id":7,"method":"m","params":${params}}`)
  }
  expect(nested(999).kind).toBe('request')
  expect(nested(1000)).toMatchObject({ kind: 'invalid', id: '7', problem: expect.stringContaining('1000') as unknown })
})

test('messages as text', () => {
  expect(resultText('"a"', { b: 1 })).toBe('{"jsonrpc":"2.0","id":"a","result":{"b":1}}')
  expect(errorText('null', { code: 1, message: 'x' })).toBe(
    '{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}',
  )
  expect(notificationText('m', {})).toBe('{"jsonrpc":"2.0","method":"m","params":{}}')
  expect(methodNotFound('x'.repeat(1e6)).message.length).toBeLessThan(200)
})

test('ids of ours have fifteen digits and do not repeat', () => {
  const ids = Array.from({ length: 1000 }, upstreamId)
  expect(ids.every((id) => /^\d{15}$/.test(String(id)))).toBe(true)
  expect(new Set(ids).size).toBe(1000)
})
