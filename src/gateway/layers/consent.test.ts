import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Call, Context, Core, Outcome } from '../../model/call.ts'
import { GATEWAY_CALLER } from '../../model/call.ts'
import { Cancellation } from '../../model/cancellation.ts'
import { ConsentNeeded } from '../../model/credential.ts'
import { GatewayError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import { profileOf } from '../../protocol/capabilities.ts'
import { Sealer } from '../../protocol/sealed.ts'
import { consentLayer } from './consent.ts'

const URL_TAKER = { elicitation: { form: {}, url: {} } }
const MODERN = { era: 'modern', revision: '2026-07-28', profile: profileOf(URL_TAKER, '2026-07-28') } as const
const LEGACY = { era: 'legacy', revision: '2025-11-25', profile: profileOf(URL_TAKER, '2025-11-25') } as const
const OLDER = { era: 'legacy', revision: '2025-06-18', profile: profileOf(URL_TAKER, '2025-06-18') } as const
const DONE: Outcome = { kind: 'result', value: { content: [] }, era: 'legacy' }
const LINK = { mode: 'url', url: 'https://gateway.example/oauth/connect?ticket=t', message: 'Sign in to mail' }
const QUESTION = { 'elicitation-1': { method: 'elicitation/create', params: LINK } }

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A tool whose backend knows the user once `signIn` was called. */
function scene(given: Partial<Context>) {
  const sealer = new Sealer()
  const { promise: settled, resolve } = Promise.withResolvers<void>()
  const state = { known: false, id: 'e' }
  const calls: JsonObject[] = []
  const told: string[] = []
  const held = { now: 0, ever: 0 }
  const core = {
    invoke: async ({ params }: Call) => {
      calls.push(params)
      if (!state.known) throw new ConsentNeeded(LINK.message, { url: LINK.url, id: state.id, settled })
      return DONE
    },
  } as unknown as Core
  const layered = consentLayer(() => sealer)(core)
  const signal = new Cancellation()
  const call = (params: JsonObject = {}): Promise<Outcome> => {
    const context: Context = {
      ...GATEWAY_CALLER,
      signal,
      deadline: {
        touch: () => {},
        hold: () => {
          held.now++
          held.ever++
          return () => held.now--
        },
      },
      streaming: false,
      emit: ({ method }) => told.push(method),
      ask: undefined,
      header: undefined,
      ...given,
    }
    return layered.invoke({ kind: 'tool', name: 't', params: { name: 't', arguments: { a: 1 }, ...params } }, context)
  }
  const signIn = (): void => {
    state.known = true
    resolve()
  }
  const stepUp = (id: string): void => void (state.id = id)
  return { call, calls, told, signal, signIn, stepUp, held }
}

const asked = (outcome: Outcome): { inputRequests: JsonObject; requestState: string } => {
  if (outcome.kind !== 'needs-input') throw new Error(`it came to ${outcome.kind}`)
  return outcome.value as { inputRequests: JsonObject; requestState: string }
}
const agreed = { 'elicitation-1': { action: 'accept' } }

test('a modern client is sent to the page, and its retry waits for the sign-in', async () => {
  const { call, calls, signIn, held } = scene(MODERN)
  const { inputRequests, requestState } = asked(await call())
  expect(inputRequests).toEqual(QUESTION)
  const retry = call({ requestState, inputResponses: agreed })
  await vi.advanceTimersByTimeAsync(60_000)
  expect(held.now).toBe(1)
  signIn()
  expect(await retry).toBe(DONE)
  expect(held).toEqual({ now: 0, ever: 1 })
  expect(calls.at(-1)).toEqual({ name: 't', arguments: { a: 1 } })
})

test('a modern user who never comes back is told where to go', async () => {
  const { call } = scene(MODERN)
  const { requestState } = asked(await call())
  const retry = call({ requestState, inputResponses: agreed })
  retry.catch(() => {})
  await vi.advanceTimersByTimeAsync(5 * 60_000)
  await expect(retry).rejects.toMatchObject({ code: 'CONSENT_NEEDED', message: expect.stringContaining(LINK.url) })
})

test('a modern user who must sign in once more, for something else, is sent there too', async () => {
  const { call, signIn, stepUp } = scene(MODERN)
  const { requestState } = asked(await call())
  stepUp('more')
  const again = asked(await call({ requestState, inputResponses: agreed }))
  expect(again.inputRequests).toEqual(QUESTION)
  const retry = call({ requestState: again.requestState, inputResponses: agreed })
  signIn()
  expect(await retry).toBe(DONE)
})

test.each([{ action: 'decline' }, { action: 'cancel' }, {}])(
  'a modern user who answers %j is not sent again',
  async (answer) => {
    const { call, calls } = scene(MODERN)
    const { requestState } = asked(await call())
    const retry = call({ requestState, inputResponses: { 'elicitation-1': answer } })
    await expect(retry).rejects.toMatchObject({ code: 'CLIENT_ERROR' })
    expect(calls).toHaveLength(1)
  },
)

test('a state of another call opens nothing', async () => {
  const { call, calls } = scene(MODERN)
  const { requestState } = asked(await call())
  await call({ arguments: { a: 2 }, requestState, inputResponses: agreed })
  expect(calls.at(-1)).toMatchObject({ requestState })
})

test('a legacy client is asked while its call waits', async () => {
  const questions: unknown[] = []
  const { call, signIn, told, held } = scene({
    ...LEGACY,
    ask: async (question) => {
      questions.push(question)
      return { action: 'accept' }
    },
  })
  const outcome = call()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(questions).toEqual([{ method: 'elicitation/create', params: { ...LINK, elicitationId: 'e' } }])
  expect(held.now).toBe(1)
  signIn()
  expect(await outcome).toBe(DONE)
  expect(told).toEqual(['notifications/elicitation/complete'])
  expect(held.now).toBe(0)
})

test('a legacy user who declines is not waited for', async () => {
  const { call } = scene({ ...LEGACY, ask: async () => ({ action: 'decline' }) })
  await expect(call()).rejects.toMatchObject({ code: 'CONSENT_NEEDED', message: expect.stringContaining('declined') })
})

test('the caller who leaves ends the wait', async () => {
  const { call, signal } = scene({ ...LEGACY, ask: async () => ({ action: 'accept' }) })
  const outcome = call()
  outcome.catch(() => {})
  await vi.advanceTimersByTimeAsync(10)
  signal.cancel(new GatewayError('CANCELLED', 'left'))
  await expect(outcome).rejects.toMatchObject({ code: 'CANCELLED' })
})

test('a legacy client without a way to be asked gets -32042', async () => {
  const { call } = scene(LEGACY)
  await expect(call()).rejects.toMatchObject({
    jsonrpc: -32042,
    data: { elicitations: [{ ...LINK, elicitationId: 'e' }] },
  })
})

test.each([
  ['an older one', OLDER],
  ['one that cannot be sent anywhere', { ...LEGACY, profile: GATEWAY_CALLER.profile }],
  ['a modern one that cannot', { ...MODERN, profile: GATEWAY_CALLER.profile }],
])('%s reads where to go', async (_who, given) => {
  const { call } = scene(given)
  await expect(call()).rejects.toMatchObject({
    code: 'CONSENT_NEEDED',
    message: `${LINK.message}: open ${LINK.url} in a browser, then try again`,
  })
})

const step = { workflow: 'w', run: 'r', step: 's', ownTimeout: false }

test.each([
  ['a modern client', MODERN],
  ['a step of a legacy one', { ...LEGACY, step }],
])('what a backend itself asks with -32042 is asked the same way: %s', async (_who, given) => {
  const sealer = new Sealer()
  const calls: JsonObject[] = []
  const required = new GatewayError('BACKEND_ERROR', 'Visit the page', {
    jsonrpc: -32042,
    data: { elicitations: [{ ...LINK, elicitationId: 'e' }] },
  })
  const core = {
    invoke: async ({ params }: Call) => {
      calls.push(params)
      if (calls.length > 1) return DONE
      throw required
    },
  } as unknown as Core
  const layered = consentLayer(() => sealer)(core)
  const context = { ...GATEWAY_CALLER, ...given, signal: new Cancellation() } as unknown as Context
  const call = (params: JsonObject) =>
    layered.invoke({ kind: 'prompt', name: 'p', params: { name: 'p', ...params } }, context)
  const { inputRequests, requestState } = asked(await call({}))
  expect(inputRequests).toEqual(QUESTION)
  expect(await call({ requestState, inputResponses: agreed })).toBe(DONE)
  expect(calls.at(-1)).toEqual({ name: 'p' })
})
