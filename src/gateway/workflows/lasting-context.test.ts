import { expect, test } from 'vitest'
import { type Context, GATEWAY_CALLER, type Notification } from '../../model/call.ts'
import { Cancellation } from '../../model/cancellation.ts'
import { contextWithout, lastingContext, showing } from './lasting-context.ts'

const said: Notification[] = []
const request: Context = {
  ...GATEWAY_CALLER,
  signal: new Cancellation(),
  deadline: { touch: () => {}, hold: () => () => {} },
  streaming: true,
  emit: (notification) => said.push(notification),
  flow: { full: false, onDrain: () => () => {} },
  ask: undefined,
  header: () => 'of the request',
  passed: ['x-ticket', '1'],
}

test('nothing is said any more when the request is answered', () => {
  const { context, answered } = lastingContext(request)
  context.emit?.({ method: 'before', params: {} })
  answered()
  context.emit?.({ method: 'after', params: {} })
  expect(said).toEqual([{ method: 'before', params: {} }])
  expect(context).toMatchObject({ deadline: undefined, flow: undefined, header: undefined, streaming: false })
  expect(context.signal).toBe(request.signal)
})

test('a request that nobody waits for cancels nothing, and has the credentials of its caller', () => {
  const context = contextWithout(request)
  request.signal.cancel(new Error('gone'))
  expect(context.signal.cancelled).toBe(false)
  expect(context).toMatchObject({ principal: request.principal, passed: request.passed, emit: undefined })
})

test('a later request shows its credentials, and nothing is changed in place', () => {
  const before = { ...request }
  const context = showing(request, { ...request, passed: ['x-ticket', '2'], era: 'legacy' })
  expect(context).toEqual({ ...before, passed: ['x-ticket', '2'] })
  expect(request).toEqual(before)
})
