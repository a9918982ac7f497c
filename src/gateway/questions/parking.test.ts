import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { UpstreamRequest } from '../../backends/leg.ts'
import { ownRequest } from '../../backends/leg.ts'
import type { Call, Context, Outcome } from '../../model/call.ts'
import { GATEWAY_CALLER } from '../../model/call.ts'
import { Cancellation } from '../../model/cancellation.ts'
import { GatewayError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import { profileOf } from '../../protocol/capabilities.ts'
import { Sealer } from '../../protocol/sealed.ts'
import { Parking } from './parking.ts'

const MODERN = '2026-07-28'
const ABLE = profileOf({ elicitation: { form: {}, url: {} }, sampling: {}, roots: {} }, MODERN)
const FORM = { method: 'elicitation/create', params: { message: 'Name?', requestedSchema: { type: 'object' } } }
const DONE: Outcome = { kind: 'result', value: { content: [] }, era: 'legacy' }

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** One tool call of a modern client, and what its backend does with it. */
function scene(backend: (request: UpstreamRequest) => Promise<Outcome>, sealer = new Sealer()) {
  const parking = new Parking(() => sealer)
  const upstream: UpstreamRequest[] = []
  const call = (params: JsonObject = {}, given: Partial<Context> = {}) => {
    const asked: Call = { kind: 'tool', name: 't', params: { name: 't', arguments: { a: 1 }, ...params } }
    const signal = new Cancellation()
    const context: Context = {
      ...GATEWAY_CALLER,
      era: 'modern',
      revision: MODERN,
      profile: ABLE,
      signal,
      deadline: undefined,
      streaming: false,
      emit: undefined,
      ask: undefined,
      header: undefined,
      ...given,
    }
    const request: UpstreamRequest = { ...ownRequest('tools/call', asked.params, signal), caller: context }
    const outcome = parking.invoke(asked, context, request, (last) => {
      upstream.push(last)
      return backend(last)
    })
    outcome.catch(() => {})
    return { outcome, signal }
  }
  return { parking, upstream, call }
}

async function questionsOf(outcome: Promise<Outcome>): Promise<{ inputRequests: JsonObject; requestState: string }> {
  await vi.advanceTimersByTimeAsync(30)
  const asked = await outcome
  if (asked.kind !== 'needs-input') throw new Error(`it came to ${asked.kind}`)
  return asked.value as { inputRequests: JsonObject; requestState: string }
}

const asks = async ({ ask, signal }: UpstreamRequest): Promise<Outcome> => {
  const answer = await ask!(FORM, new Cancellation())
  signal.throwIfCancelled()
  return { kind: 'result', value: { answer }, era: 'legacy' }
}

test('a call that asks nothing is not parked', async () => {
  const { parking, call } = scene(async () => DONE)
  expect(await call().outcome).toBe(DONE)
  expect(parking.size).toBe(0)
})

test('a question suspends the call, the retry resumes it, upstream it is one call', async () => {
  const { parking, call, upstream } = scene(asks)
  const { inputRequests, requestState } = await questionsOf(call().outcome)
  expect(inputRequests).toEqual({ 'elicitation-1': FORM })
  const inputResponses = { 'elicitation-1': { action: 'accept', content: { name: 'x' } } }
  const end = await call({ requestState, inputResponses }).outcome
  expect(end).toMatchObject({ value: { answer: inputResponses['elicitation-1'] } })
  expect(upstream).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(parking.size).toBe(0)
})

test('questions that come together are asked together, later ones in a round of their own', async () => {
  const { call } = scene(async ({ ask }) => {
    const together = await Promise.all([
      ask!(FORM, new Cancellation()),
      ask!({ method: 'roots/list', params: {} }, new Cancellation()),
    ])
    const last = await ask!({ method: 'sampling/createMessage', params: { messages: [] } }, new Cancellation())
    return { kind: 'result', value: { answers: [...together, last] }, era: 'legacy' }
  })
  const first = await questionsOf(call().outcome)
  expect(Object.keys(first.inputRequests)).toEqual(['elicitation-1', 'roots-2'])
  const answers = { 'elicitation-1': { action: 'decline' }, 'roots-2': { roots: [] } }
  const second = await questionsOf(call({ requestState: first.requestState, inputResponses: answers }).outcome)
  expect(Object.keys(second.inputRequests)).toEqual(['sampling-3'])
  const said = { 'sampling-3': { role: 'assistant', content: { type: 'text', text: 'hi' }, model: 'm' } }
  expect(await call({ requestState: second.requestState, inputResponses: said }).outcome).toMatchObject({
    value: { answers: [{ action: 'decline' }, { roots: [] }, { role: 'assistant' }] },
  })
})

test('what is not answered is asked again', async () => {
  const { call } = scene(asks)
  const first = await questionsOf(call().outcome)
  const again = await questionsOf(call({ requestState: first.requestState, inputResponses: {} }).outcome)
  expect(again.inputRequests).toEqual(first.inputRequests)
  const inputResponses = { 'elicitation-1': { action: 'cancel' } }
  expect(await call({ requestState: again.requestState, inputResponses }).outcome).toMatchObject({ kind: 'result' })
})

test('an answer in a broken form is refused, and may be given again', async () => {
  const { call } = scene(asks)
  const { requestState } = await questionsOf(call().outcome)
  for (const broken of [1, 'x', [], {}, { action: 'perhaps' }, { action: 'accept', content: 5 }]) {
    const { outcome } = call({ requestState, inputResponses: { 'elicitation-1': broken as JsonObject } })
    await expect(outcome).rejects.toMatchObject({ code: 'PARAMS_INVALID' })
  }
  await expect(call({ requestState, inputResponses: [] }).outcome).rejects.toMatchObject({ code: 'PARAMS_INVALID' })
  const inputResponses = { 'elicitation-1': { action: 'accept' } }
  expect(await call({ requestState, inputResponses }).outcome).toMatchObject({ kind: 'result' })
})

test('a retry that is sent twice, or after the end, gets the same and changes nothing', async () => {
  const { call, upstream } = scene(asks)
  const { requestState } = await questionsOf(call().outcome)
  const retry = { requestState, inputResponses: { 'elicitation-1': { action: 'accept' } } }
  const [one, other] = await Promise.all([call(retry).outcome, call(retry).outcome])
  expect(one).toEqual(other)
  expect(await call(retry).outcome).toEqual(one)
  expect(upstream).toHaveLength(1)
})

test('answers to an earlier round are refused', async () => {
  const { call } = scene(async (request) => {
    await asks(request)
    return asks(request)
  })
  const first = await questionsOf(call().outcome)
  const answer = (key: string) => ({ inputResponses: { [key]: { action: 'accept' } } })
  const second = await questionsOf(call({ requestState: first.requestState, ...answer('elicitation-1') }).outcome)
  const end = call({ requestState: second.requestState, ...answer('elicitation-2') })
  expect(await end.outcome).toMatchObject({ kind: 'result' })
  const late = call({ requestState: first.requestState, ...answer('elicitation-1') })
  await expect(late.outcome).rejects.toMatchObject({ code: 'PARAMS_INVALID' })
})

test('a state serves its own request, principal and process only', async () => {
  const { call } = scene(asks)
  const { requestState } = await questionsOf(call().outcome)
  const inputResponses = { 'elicitation-1': { action: 'accept' } }
  const refused = { code: 'PARAMS_INVALID' }
  await expect(call({ requestState, inputResponses, arguments: { a: 2 } }).outcome).rejects.toMatchObject(refused)
  await expect(call({ requestState: `${requestState}x`, inputResponses }).outcome).rejects.toMatchObject(refused)
  await expect(call({ requestState: 'x', inputResponses }).outcome).rejects.toMatchObject(refused)
  await expect(call({ inputResponses }).outcome).rejects.toMatchObject(refused)
  await expect(scene(asks).call({ requestState, inputResponses }).outcome).rejects.toMatchObject(refused)
})

test('a replica with the same keys says that the call does not wait here', async () => {
  const sealer = new Sealer([{ id: 'k', key: Buffer.alloc(32, 1) }])
  const { requestState } = await questionsOf(scene(asks, sealer).call().outcome)
  const there = scene(asks, sealer).call({ requestState, inputResponses: { 'elicitation-1': { action: 'accept' } } })
  await expect(there.outcome).rejects.toThrow(/no longer waits for these answers: make it again/)
})

test('nobody answers: the call is cancelled upstream after five minutes', async () => {
  const { parking, call, upstream } = scene(asks)
  const { requestState } = await questionsOf(call().outcome)
  await vi.advanceTimersByTimeAsync(5 * 60_000)
  expect(upstream[0]?.signal.reason?.message).toMatch(/nobody answered/)
  expect(parking.size).toBe(0)
  const late = call({ requestState, inputResponses: { 'elicitation-1': { action: 'accept' } } })
  await expect(late.outcome).rejects.toMatchObject({ code: 'PARAMS_INVALID' })
})

test('a client that leaves while its call runs cancels it; one that has its questions has not left', async () => {
  const { call, upstream } = scene(asks)
  const first = call()
  const { requestState } = await questionsOf(first.outcome)
  first.signal.cancel(new GatewayError('CANCELLED', 'the stream is closed'))
  expect(upstream[0]?.signal.cancelled).toBe(false)
  const hanging = scene(async ({ ask }) => {
    await ask!(FORM, new Cancellation())
    return new Promise(() => {})
  })
  const asked = await questionsOf(hanging.call().outcome)
  const retry = { requestState: asked.requestState, inputResponses: { 'elicitation-1': { action: 'accept' } } }
  const [one, other] = [hanging.call(retry), hanging.call(retry)]
  await vi.advanceTimersByTimeAsync(1)
  one.signal.cancel(new GatewayError('CANCELLED', 'gone'))
  expect(hanging.upstream[0]?.signal.cancelled).toBe(false)
  other.signal.cancel(new GatewayError('CANCELLED', 'gone'))
  expect(hanging.upstream[0]?.signal.cancelled).toBe(true)
  expect(requestState).toBeTypeOf('string')
})

test('a backend that dies while its call is parked is told to the retry', async () => {
  let die!: (error: Error) => void
  const { call } = scene(({ ask }) => {
    ask!(FORM, new Cancellation()).catch(() => {})
    return new Promise((_, reject) => (die = reject))
  })
  const { requestState } = await questionsOf(call().outcome)
  die(new GatewayError('BACKEND_UNREACHABLE', 'the process was killed'))
  await vi.advanceTimersByTimeAsync(1)
  const retry = call({ requestState, inputResponses: { 'elicitation-1': { action: 'accept' } } })
  await expect(retry.outcome).rejects.toMatchObject({ code: 'BACKEND_UNREACHABLE' })
})

test('what a backend takes back is not asked', async () => {
  const { call } = scene(async ({ ask }) => {
    const signal = new Cancellation()
    const asked = ask!(FORM, signal)
    signal.cancel(new GatewayError('CANCELLED', 'never mind'))
    await asked.catch(() => {})
    return DONE
  })
  expect(await call().outcome).toBe(DONE)
})

test('a caller that cannot be asked gets a call without questions', async () => {
  const { call } = scene(async ({ ask }) => ({ kind: 'result', value: { asked: ask !== undefined }, era: 'legacy' }))
  expect(await call({}, { profile: GATEWAY_CALLER.profile }).outcome).toMatchObject({ value: { asked: false } })
})

test('only so many calls of one principal wait', async () => {
  const { parking, call, upstream } = scene(asks)
  const first = Array.from({ length: 100 }, () => call().outcome)
  await vi.advanceTimersByTimeAsync(30)
  await Promise.all(first)
  const { outcome } = call()
  await vi.advanceTimersByTimeAsync(30)
  await expect(outcome).rejects.toMatchObject({ code: 'BACKEND_BUSY' })
  expect(upstream.at(-1)?.signal.cancelled).toBe(true)
  expect(parking.size).toBe(100)
  parking.close()
  expect(upstream.every(({ signal }) => signal.cancelled)).toBe(true)
})
