import { describe, expect, test } from 'vitest'

import type { JsonObject } from '../../../src/model/json.ts'
import { approval, call, gatewayWith, same, slow, toolBackend } from './world.ts'
import { accept, CANCEL, callerOf, DECLINE, ERAS, type Result, statusesIn, textIn, YES } from './callers.ts'
import { openSession } from '../../matrix/peers/raw.ts'
import { waitFor } from '../../support/processes.ts'

/** Asks whether to deploy, between two calls. */
const deploy = (more: JsonObject = {}): JsonObject => ({
  name: 'deploy',
  parameters: { type: 'object', properties: { version: { type: 'string' } } },
  steps: [
    call('build', 'build', { arguments: { version: '{{params.version}}' } }),
    approval('sure', { message: 'Deploy {{steps.build.output.version}}?', ...more }),
    call('push', 'push', {
      dependsOn: ['sure'],
      arguments: { version: '{{params.version}}', answer: '{{steps.sure.output.action}}' },
    }),
  ],
})

async function deployment(more: JsonObject = {}, config: JsonObject = {}) {
  const backend = await toolBackend({ build: same, push: same })
  const gateway = await gatewayWith(backend, [deploy(more)], config)
  return { backend, gateway }
}

const V2 = { version: 'v2' }

describe.each(ERAS)('a %s client', (era) => {
  test('is asked, accepts, and the steps go on with its answer', async () => {
    const { backend, gateway } = await deployment()
    const running = (await callerOf(era, gateway.url)).call('deploy', V2)
    expect(await running.questions()).toMatchObject([
      {
        method: 'elicitation/create',
        params: { mode: 'form', message: 'Deploy v2?', requestedSchema: { properties: { yes: { type: 'boolean' } } } },
      },
    ])
    expect(backend.given('push')).toEqual([])
    await running.answer(YES)
    expect(await running.result()).toMatchObject({ structuredContent: { version: 'v2', answer: 'accept' } })
    expect(statusesIn(await running.result())).toEqual({ build: 'completed', sure: 'completed', push: 'completed' })
    expect([backend.given('build'), backend.given('push')]).toEqual([[V2], [{ ...V2, answer: 'accept' }]])
  })

  test.each([
    ['declines', DECLINE, 'The user declined to answer'],
    ['cancels', CANCEL, 'The user cancelled the question'],
  ])('%s, which ends the run unless the author says otherwise', async (_what, answer, why) => {
    const { backend, gateway } = await deployment()
    const running = (await callerOf(era, gateway.url)).call('deploy', V2)
    await running.questions()
    await running.answer(answer)
    const result = await running.result()
    expect(result).toMatchObject({ isError: true })
    expect(textIn(result)).toBe(`Workflow "deploy" failed at step "sure": ${why}`)
    expect(statusesIn(result)).toMatchObject({ build: 'completed', sure: 'failed' })
    expect(backend.given('push')).toEqual([])
  })

  test('declines, and the run goes on since the author says so', async () => {
    const { gateway } = await deployment({ onDecline: { action: 'continue' } })
    const running = (await callerOf(era, gateway.url)).call('deploy', V2)
    await running.questions()
    await running.answer(DECLINE)
    expect(await running.result()).toMatchObject({ structuredContent: { answer: 'decline' } })
  })

  test('cancels, and the rest is skipped since the author says so', async () => {
    const { backend, gateway } = await deployment({ onCancel: { action: 'skip_remaining' } })
    const running = (await callerOf(era, gateway.url)).call('deploy', V2)
    await running.questions()
    await running.answer(CANCEL)
    const result = await running.result()
    expect(result['isError']).toBeUndefined()
    expect(statusesIn(result)).toEqual({ build: 'completed', sure: 'completed', push: 'skipped' })
    expect(backend.given('push')).toEqual([])
  })

  test('answers what does not fit the form', async () => {
    const { backend, gateway } = await deployment()
    const running = (await callerOf(era, gateway.url)).call('deploy', V2)
    await running.questions()
    await running.answer(accept({ yes: 'perhaps' }))
    if (era === 'modern') {
      expect(await running.response()).toMatchObject({
        error: { code: -32602, message: expect.stringContaining('does not fit its form') },
      })
    } else {
      // It will not ask twice: what is no answer counts as none.
      expect(textIn(await running.result())).toContain('The answer to "sure" does not fit its form: yes must be')
    }
    expect(backend.given('push')).toEqual([])
  })

  test('that cannot be asked is told so, by the declining path of the step', async () => {
    const { backend, gateway } = await deployment()
    const running = (await callerOf(era, gateway.url, {})).call('deploy', V2)
    const result = await running.result()
    expect(result).toMatchObject({ isError: true })
    expect(textIn(result)).toContain('The client cannot be asked this question')
    expect(backend.given('push')).toEqual([])
    const kind = await deployment({ onDecline: { action: 'continue' } })
    const other = (await callerOf(era, kind.gateway.url, {})).call('deploy', V2)
    expect(await other.result()).toMatchObject({ structuredContent: { answer: 'decline' } })
  })

  test('that takes forms only is not sent to an address', async () => {
    const backend = await toolBackend({ push: same })
    const steps = [
      { id: 'sign', type: 'elicitation', message: 'Sign in', url: 'https://id.example/sign' },
      call('push', 'push', { dependsOn: ['sign'] }),
    ]
    const gateway = await gatewayWith(backend, [{ name: 'signed', steps }])
    const unable = (await callerOf(era, gateway.url, { elicitation: { form: {} } })).call('signed')
    expect(textIn(await unable.result())).toContain('The client cannot be asked this question')
    const able = (await callerOf(era, gateway.url)).call('signed')
    const [question] = await able.questions()
    expect(question?.params).toMatchObject({ mode: 'url', url: 'https://id.example/sign', message: 'Sign in' })
    expect(question?.params['elicitationId']).toEqual(era === 'legacy' ? expect.any(String) : undefined)
    await able.answer({ action: 'accept' })
    expect(statusesIn(await able.result())).toEqual({ sign: 'completed', push: 'completed' })
  })

  test('is asked two questions together, when other branches have finished', async () => {
    const long = slow()
    const backend = await toolBackend({ other: long.tool, first: same, second: same })
    const steps = [
      approval('a'),
      approval('b'),
      call('other', 'other'),
      call('first', 'first', { arguments: { yes: '{{steps.a.output.content.yes}}' } }),
      call('second', 'second', {
        arguments: { yes: '{{steps.b.output.content.yes}}', other: '{{steps.other.output.x}}' },
      }),
    ]
    const gateway = await gatewayWith(backend, [{ name: 'both', steps }])
    const running = (await callerOf(era, gateway.url)).call('both')
    await long.started
    // Both are due, and wait for the call that is under way.
    expect(running.messages()).toEqual([])
    long.finish({ x: 7 })
    const questions = await running.questions(2)
    expect(questions.map(({ params }) => params['message'])).toEqual(['a?', 'b?'])
    await running.answer(({ params }) => accept({ yes: params['message'] === 'a?' }))
    expect(statusesIn(await running.result())).toMatchObject({ first: 'completed', second: 'completed' })
    expect([backend.given('first'), backend.given('second')]).toEqual([[{ yes: true }], [{ yes: false, other: 7 }]])
  })

  test('is asked again in the same run, after steps that depend on the first answer', async () => {
    const backend = await toolBackend({ push: same })
    const steps = [approval('a'), call('push', 'push', { dependsOn: ['a'] }), approval('b', { dependsOn: ['push'] })]
    const gateway = await gatewayWith(backend, [{ name: 'twice', steps }])
    const running = (await callerOf(era, gateway.url)).call('twice')
    for (const message of ['a?', 'b?']) {
      const [question] = await running.questions()
      expect(question?.params['message']).toBe(message)
      await running.answer(YES)
    }
    expect(await running.result()).toMatchObject({ structuredContent: { action: 'accept', content: { yes: true } } })
    expect(backend.given('push')).toHaveLength(1)
  })
})

test('a legacy client that does not answer in time ends the run by the cancel path', async () => {
  const { gateway } = await deployment({}, { workflowLimits: { askTimeout: '100ms' } })
  const running = (await callerOf('legacy', gateway.url)).call('deploy', V2)
  const [question] = await running.questions()
  const result = await running.result()
  expect(textIn(result)).toBe('Workflow "deploy" failed at step "sure": Nobody answered in time')
  // The client is told that nobody waits for its answer any more.
  expect(running.messages()).toContainEqual(
    expect.objectContaining({
      method: 'notifications/cancelled',
      params: expect.objectContaining({ requestId: question?.key }),
    }),
  )
})

test.each([
  ['that waits for the answer', 'legacy', 'questionTimeout'],
  ['that comes back', 'modern', 'askTimeout'],
] as const)('a client %s has the time that the author gives it', async (_, era, other) => {
  const { backend, gateway } = await deployment({ timeout: '100ms' }, { workflowLimits: { [other]: '10ms' } })
  const running = (await callerOf(era, gateway.url)).call('deploy', V2)
  await running.questions()
  await new Promise((resolve) => setTimeout(resolve, 150))
  await running.answer(YES)
  expect(textIn(await running.result())).toBe('Workflow "deploy" failed at step "sure": Nobody answered in time')
  expect(backend.given('push')).toEqual([])
})

test('a legacy client that answers a question with an error is one that cannot be asked', async () => {
  const ask = async (more: JsonObject) => {
    const { gateway } = await deployment(more)
    const session = await openSession(gateway.url, undefined, { elicitation: { form: {} } })
    const exchange = session.start(7, 'tools/call', { name: 'deploy', arguments: V2 })
    await waitFor(() => exchange.messages.length > 0, 5_000, 'a question')
    const { id } = exchange.messages[0] as { id: number }
    await session.send({ jsonrpc: '2.0', id, error: { code: -32603, message: 'no window is open' } })
    return ((await exchange.response) as unknown as { result: Result }).result
  }
  const why = 'The client cannot be asked this question: no window is open'
  expect(textIn(await ask({}))).toBe(`Workflow "deploy" failed at step "sure": ${why}`)
  expect(await ask({ onDecline: { action: 'continue' } })).toMatchObject({ structuredContent: { answer: 'decline' } })
})

test('a modern client that comes back too late is told what came of it', async () => {
  const { backend, gateway } = await deployment({}, { workflowLimits: { questionTimeout: '50ms' } })
  const running = (await callerOf('modern', gateway.url)).call('deploy', V2)
  await running.questions()
  await new Promise((resolve) => setTimeout(resolve, 100))
  await running.answer(YES)
  expect(textIn(await running.result())).toBe('Workflow "deploy" failed at step "sure": Nobody answered in time')
  expect(backend.given('push')).toEqual([])
})

test('waiting for a person does not count against the time of the run', async () => {
  const backend = await toolBackend({ push: same })
  const steps = [approval('sure'), call('push', 'push', { dependsOn: ['sure'] })]
  const gateway = await gatewayWith(backend, [{ name: 'brief', timeout: '300ms', steps }], {
    operational: { timeouts: { default: '200ms', max: '300ms' } },
  })
  const calls = await Promise.all(ERAS.map(async (era) => (await callerOf(era, gateway.url)).call('brief')))
  await Promise.all(calls.map((running) => running.questions()))
  await new Promise((resolve) => setTimeout(resolve, 400))
  for (const running of calls) {
    await running.answer(YES)
    expect(statusesIn(await running.result())).toEqual({ sure: 'completed', push: 'completed' })
  }
})
