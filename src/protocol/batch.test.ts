import fc from 'fast-check'
import { expect, test } from 'vitest'
import { GatewayError } from '../model/errors.ts'
import type { JsonValue } from '../model/json.ts'
import { joinResponses, splitBatch } from './batch.ts'
import { resultText } from './jsonrpc.ts'

const ping = (id: number) => ({ jsonrpc: '2.0', id, method: 'ping' })
const note = { jsonrpc: '2.0', method: 'notifications/initialized' }

test('members are classified in order, malformed ones on their own', () => {
  const members = splitBatch([ping(1), note, { jsonrpc: '2.0', id: 7, result: {} }, [ping(2)], 5, { id: 3 }])
  expect(members).toEqual([
    { kind: 'request', id: '1', method: 'ping', params: {} },
    { kind: 'notification', method: 'notifications/initialized', params: {} },
    { kind: 'response', id: 7, result: {} },
    { kind: 'invalid', id: 'null', problem: 'a batch must not hold another one' },
    { kind: 'invalid', id: 'null', problem: 'a JSON-RPC message must be an object' },
    { kind: 'invalid', id: '3', problem: 'the member "jsonrpc" must be "2.0"' },
  ])
})

test.each<[string, JsonValue[]]>([
  ['must not be empty', []],
  ['at most 100 members', Array.from({ length: 101 }, (_, id) => ping(id))],
  ['initialize must not be part', [ping(1), { ...ping(2), method: 'initialize' }]],
  ['initialize must not be part', [{ ...note, method: 'initialize' }]],
])('a batch is refused whole: %s', (problem, items) => {
  expect(() => splitBatch(items)).toThrow(problem)
  expect(() => splitBatch(items)).toThrow(expect.objectContaining({ code: 'REQUEST_MALFORMED' }))
})

test('answers are joined; there is no empty answer', () => {
  expect(joinResponses([])).toBeUndefined()
  const joined = joinResponses([resultText('1', { a: 1 }), resultText('"b"', {})])
  expect(JSON.parse(String(joined))).toEqual([
    { jsonrpc: '2.0', id: 1, result: { a: 1 } },
    { jsonrpc: '2.0', id: 'b', result: {} },
  ])
})

test('any array has as many members as it had, or is refused', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue(), { maxLength: 110 }), (items) => {
      try {
        expect(splitBatch(items as JsonValue[])).toHaveLength(items.length)
      } catch (failure) {
        expect(failure).toBeInstanceOf(GatewayError)
      }
    }),
  )
})
