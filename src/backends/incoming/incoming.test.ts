import { expect, test } from 'vitest'
import type { Ask } from '../../model/call.ts'
import { Cancellation } from '../../model/cancellation.ts'
import { GatewayError } from '../../model/errors.ts'
import type { JsonObject, JsonValue } from '../../model/json.ts'
import { legContext } from '../../../test/support/legs.ts'
import type { Scope } from './incoming.ts'
import { Incoming } from './incoming.ts'
import { ownRequest } from '../leg.ts'

const nothing = (): void => {}
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function scene() {
  const sent: { id?: JsonValue; result?: JsonValue; error?: JsonObject }[] = []
  const { context } = legContext()
  const answers = new Incoming(context, async (text) => void sent.push(JSON.parse(text) as JsonObject))
  const ask = (id: string, scope?: Scope): void =>
    answers.take({ kind: 'request', id, method: 'roots/list', params: {} }, scope)
  return { answers, sent, ask }
}

/** A call whose client answers when it is told to. */
function callOf() {
  const waiting: { answer: (result: JsonObject) => void; signal: Cancellation }[] = []
  let held = 0
  const ask: Ask = (_question, signal) =>
    new Promise((resolve, reject) => {
      waiting.push({ answer: resolve, signal })
      signal.onCancel(reject)
    })
  const deadline = { touch: nothing, hold: () => (held++, () => void held--) }
  const scope: Scope = { ...ownRequest('tools/call', {}, new Cancellation()), ask, deadline }
  return { scope, waiting, held: () => held }
}

test('an id that is asked twice is asked once, until it is answered', async () => {
  const { sent, ask } = scene()
  const { scope, waiting } = callOf()
  ask('1', scope)
  ask('1', scope)
  await settle()
  expect(waiting).toHaveLength(1)
  waiting[0]?.answer({ roots: [] })
  await settle()
  ask('1', scope)
  await settle()
  expect([waiting.length, sent.map(({ id }) => id)]).toEqual([2, [1]])
})

test('what was asked by a call that is given up ends with it, unanswered, and later questions of it too', async () => {
  const { sent, ask } = scene()
  const { scope, waiting, held } = callOf()
  ask('1', scope)
  await settle()
  expect(held()).toBe(1)
  scope.signal.cancel(new GatewayError('CANCELLED', 'gone'))
  ask('2', scope)
  await settle()
  expect([waiting.length, waiting[0]?.signal.cancelled, held(), sent]).toEqual([1, true, 0, []])
})

test('the end of the connection ends every question, and none is asked after it', async () => {
  const { answers, sent, ask } = scene()
  const { scope, waiting, held } = callOf()
  ask('1', scope)
  await settle()
  answers.end(new GatewayError('BACKEND_UNREACHABLE', 'gone'))
  ask('2', scope)
  await settle()
  expect([waiting.length, held(), sent]).toEqual([1, 0, []])
})

test('what comes of no call is refused', async () => {
  const { sent, ask } = scene()
  ask('"q"')
  await settle()
  expect(sent).toMatchObject([{ id: 'q', error: { code: -32601 } }])
})

test('a flood of questions is refused', async () => {
  const { sent, ask } = scene()
  const { scope, waiting } = callOf()
  for (let id = 0; id <= 100; id++) ask(String(id), scope)
  await settle()
  expect([waiting.length, sent]).toMatchObject([100, [{ id: 100, error: { code: -32603 } }]])
})

test('what was asked by a call that is lost ends with it; what others have asked does not', async () => {
  const { answers, sent, ask } = scene()
  const [lost, other] = [callOf(), callOf()]
  ask('1', lost.scope)
  ask('2', other.scope)
  await settle()
  answers.lost(lost.scope, new GatewayError('BACKEND_UNREACHABLE', 'gone'))
  await settle()
  expect([lost.waiting, other.waiting].map(([each]) => each?.signal.cancelled)).toEqual([true, false])
  expect([lost.held(), other.held(), sent]).toEqual([0, 1, []])
})
