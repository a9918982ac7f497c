import { expect, test, vi } from 'vitest'
import type { Call, Context } from '../../model/call.ts'
import { GATEWAY_CALLER } from '../../model/call.ts'
import type { JsonObject } from '../../model/json.ts'
import { Sealer } from '../../protocol/sealed.ts'
import { goesOn, openState, type RequestState, sealState } from './request-state.ts'

const context = GATEWAY_CALLER as unknown as Context
const callOf = (params: JsonObject = {}): Call => ({ kind: 'tool', name: 't', params: { name: 't', ...params } })
const open = (sealer: Sealer, requestState: string) => openState(sealer, callOf({ requestState }), context)

const STATES: [RequestState, boolean][] = [
  [{ kind: 'parked', id: 'a', round: 2 }, true],
  [{ kind: 'again' }, false],
  [{ kind: 'again', consent: 'c' }, false],
  [{ kind: 'run', id: 'r', revision: 3, questions: ['q'], isTask: true }, true],
]

test.each(STATES)('%j comes back as it was sealed', (state, waits) => {
  const sealer = new Sealer()
  const requestState = sealState(sealer, state, callOf(), context)
  expect(open(sealer, requestState)).toEqual(state)
  expect(goesOn(sealer, callOf({ requestState }), context)).toBe(waits)
})

test('what says nothing of its kind, or too little, means nothing', () => {
  const sealer = new Sealer()
  const odd = [
    {},
    { kind: 'later' },
    { kind: 'parked', id: 'a' },
    { kind: 'run', id: 'r', revision: 1, questions: [1] },
  ]
  for (const state of odd) {
    expect(open(sealer, sealState(sealer, state as unknown as RequestState, callOf(), context))).toBeUndefined()
  }
  expect(openState(sealer, callOf(), context)).toBeUndefined()
  expect(openState(sealer, callOf({ requestState: 7 }), context)).toBeUndefined()
})

test('the layers of one request open its token once', () => {
  const sealer = new Sealer()
  const call = callOf({ requestState: sealState(sealer, { kind: 'parked', id: 'a', round: 1 }, callOf(), context) })
  const opening = vi.spyOn(sealer, 'open')
  expect(goesOn(sealer, call, context)).toBe(true)
  expect(openState(sealer, call, context)?.kind).toBe('parked')
  expect(opening).toHaveBeenCalledTimes(1)
  const other = { ...context, principal: { ...context.principal } }
  expect(openState(sealer, call, other)?.kind).toBe('parked')
  expect(opening).toHaveBeenCalledTimes(2)
})
