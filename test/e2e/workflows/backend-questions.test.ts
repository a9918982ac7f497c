import { describe, expect, test } from 'vitest'

import type { JsonObject } from '../../../src/model/json.ts'
import { isObject } from '../../../src/model/json.ts'
import type { Tool } from './world.ts'
import { approval, call, failure, gatewayWith, same, slow, toolBackend } from './world.ts'
import { accept, callerOf, DECLINE, ERAS, statusesIn, textIn, YES } from './callers.ts'

const FORM: JsonObject = {
  message: 'Your name?',
  requestedSchema: { type: 'object', properties: { name: { type: 'string' } } },
}
const PROMPT: JsonObject = { messages: [{ role: 'user', content: { type: 'text', text: 'Sum up' } }], maxTokens: 10 }
const SAMPLED: JsonObject = { role: 'assistant', model: 'm', content: { type: 'text', text: 'in short' } }

/** Asks by the means of the era, and gives what was answered. */
const asking =
  (method: string, params: JsonObject): Tool =>
  async (_args, exchange) => {
    const { era } = exchange
    const { inputResponses } = exchange.params
    if (era === 'legacy') {
      const { result, error } = await exchange.ask(method, params)
      return isObject(result) ? { answer: result } : failure(`not answered: ${JSON.stringify(error)}`)
    }
    if (isObject(inputResponses)) return { answer: inputResponses['it'] ?? null }
    return { resultType: 'input_required', inputRequests: { it: { method, params } }, requestState: 'mine' }
  }

const steps = [
  call('before', 'before'),
  call('ask', 'ask', { dependsOn: ['before'] }),
  call('after', 'after', { arguments: { answer: '{{steps.ask.output.answer}}' } }),
]

describe.each(ERAS.flatMap((client) => ERAS.map((server) => [client, server] as const)))(
  'a %s client, and a step whose backend is %s',
  (client, era) => {
    async function asked(tool: Tool, config: JsonObject = {}, capabilities?: JsonObject) {
      const backend = await toolBackend({ before: same, ask: tool, after: same }, { era })
      const gateway = await gatewayWith(backend, [{ name: 'flow', steps }], config)
      return { backend, running: (await callerOf(client, gateway.url, capabilities)).call('flow') }
    }
    /** In the modern era each round is a request of its own. */
    const rounds = era === 'modern' ? 2 : 1

    test('a question of the backend reaches the user, and the answer the backend', async () => {
      const { backend, running } = await asked(asking('elicitation/create', FORM))
      const [question] = await running.questions(1)
      expect(question).toMatchObject({ method: 'elicitation/create', params: FORM })
      await running.answer(accept({ name: 'Ada' }))
      const answer = accept({ name: 'Ada' })
      expect(await running.result()).toMatchObject({ structuredContent: { answer } })
      expect(backend.given('after')).toEqual([{ answer }])
      expect([backend.calls('before'), backend.calls('ask')].map(({ length }) => length)).toEqual([1, rounds])
    })

    test('a refusal reaches the backend as it is', async () => {
      const { running } = await asked(asking('elicitation/create', FORM))
      await running.questions(1)
      await running.answer(DECLINE)
      expect(await running.result()).toMatchObject({ structuredContent: { answer: DECLINE } })
    })

    test('so does a wish for a model', async () => {
      const { running } = await asked(asking('sampling/createMessage', PROMPT))
      const [question] = await running.questions(1)
      expect(question).toMatchObject({ method: 'sampling/createMessage', params: PROMPT })
      await running.answer(SAMPLED)
      expect(await running.result()).toMatchObject({ structuredContent: { answer: SAMPLED } })
    })

    test('waiting for the answer does not count against the time of the step', async () => {
      const backend = await toolBackend({ ask: asking('elicitation/create', FORM) }, { era })
      const own = [call('ask', 'ask', { timeout: '300ms' })]
      const gateway = await gatewayWith(backend, [{ name: 'brief', steps: own }])
      const running = (await callerOf(client, gateway.url)).call('brief')
      await running.questions(1)
      await new Promise((resolve) => setTimeout(resolve, 400))
      await running.answer(accept({ name: 'Ada' }))
      expect(statusesIn(await running.result())).toEqual({ ask: 'completed' })
    })

    test('nobody answers in time: the step fails, and the run is told', async () => {
      const { backend, running } = await asked(asking('elicitation/create', FORM), {
        workflowLimits: { askTimeout: '100ms' },
      })
      await running.questions(1)
      if (client === 'modern') {
        await new Promise((resolve) => setTimeout(resolve, 150))
        await running.answer(accept({ name: 'Ada' }))
        // What came of it is kept, but not for whoever answers what is no longer asked.
        expect(await running.response()).toMatchObject({ error: { code: -32602 } })
      } else expect(textIn(await running.result())).toMatch(/step "ask".*(answered|Nobody)/)
      expect(backend.given('after')).toEqual([])
    })

    test('a client that cannot be asked is not, and the backend knows', async () => {
      const { running } = await asked(asking('elicitation/create', FORM), {}, {})
      expect(textIn(await running.result())).toContain('at step "ask"')
      expect(running.messages()).toEqual([])
    })
  },
)

describe.each(ERAS)('a %s client', (era) => {
  test('is asked together what the run and a backend ask', async () => {
    const backend = await toolBackend(
      { ask: asking('elicitation/create', FORM), other: same, join: same },
      { era: 'legacy' },
    )
    const own = [
      approval('sure'),
      call('ask', 'ask'),
      call('join', 'join', {
        arguments: { sure: '{{steps.sure.output.action}}', name: '{{steps.ask.output.answer.content.name}}' },
      }),
    ]
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps: own }])
    const running = (await callerOf(era, gateway.url)).call('flow')
    const questions = await running.questions(2)
    expect(new Set(questions.map(({ params }) => params['message']))).toEqual(new Set(['Your name?', 'sure?']))
    await running.answer(({ params }) => (params['message'] === 'sure?' ? YES : accept({ name: 'Ada' })))
    expect(await running.result()).toMatchObject({ structuredContent: { sure: 'accept', name: 'Ada' } })
    expect(backend.calls('ask')).toHaveLength(1)
  })
})

test('a modern client is asked by a backend only when the rest has finished', async () => {
  const long = slow()
  const backend = await toolBackend({ ask: asking('elicitation/create', FORM), other: long.tool }, { era: 'legacy' })
  const gateway = await gatewayWith(backend, [{ name: 'flow', steps: [call('ask', 'ask'), call('other', 'other')] }])
  const running = (await callerOf('modern', gateway.url)).call('flow')
  let isAsked = false
  void running.questions(1).then(() => (isAsked = true))
  await long.started
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(isAsked).toBe(false)
  long.finish()
  await running.questions(1)
  await running.answer(accept({ name: 'Ada' }))
  expect(statusesIn(await running.result())).toEqual({ ask: 'completed', other: 'completed' })
})
