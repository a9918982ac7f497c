import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

import type { JsonObject } from '../../../src/model/json.ts'
import { ANONYMOUS } from '../../../src/model/principal.ts'
import { openSession } from '../../matrix/peers/raw.ts'
import { waitFor } from '../../support/processes.ts'
import {
  approval,
  call,
  failure,
  folder,
  gatewayWith,
  listed,
  same,
  slow,
  toolBackend,
  type ToolBackend,
} from './world.ts'
import { accept, callerOf, DECLINE, ERAS, retry, roundOf, statusesIn, textIn, type Result, YES } from './callers.ts'
import type { TestGateway } from '../../support/gateway.ts'

const resultOf = (response: JsonObject): Result => response['result'] as Result

const FORM: JsonObject = { message: '?', requestedSchema: { type: 'object', properties: {} } }

const lastRun = async (gateway: TestGateway) => (await gateway.gateway.runs.list({}, ANONYMOUS))[0]

describe('two questions', () => {
  async function asked() {
    const backend = await toolBackend({ first: same, second: same })
    const steps = [
      approval('a'),
      approval('b'),
      call('first', 'first', { dependsOn: ['a'] }),
      call('second', 'second', { dependsOn: ['b'] }),
    ]
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps }])
    const response = await retry(gateway.url, 'flow', {})
    const { requestState, inputResponses } = roundOf(response, YES)
    const [a, b] = Object.entries(inputResponses).map(([key, answer]): JsonObject => ({ [key]: answer }))
    return { backend, url: gateway.url, requestState, a: a!, b: b! }
  }

  test('may be answered one after the other', async () => {
    const { backend, url, requestState, a, b } = await asked()
    const half = await retry(url, 'flow', { requestState, inputResponses: a })
    expect(half).toMatchObject({
      result: { resultType: 'input_required', inputRequests: { [Object.keys(b)[0]!]: {} } },
    })
    expect(Object.keys(resultOf(half)['inputRequests'] as JsonObject)).toEqual(Object.keys(b))
    expect([backend.calls('first'), backend.calls('second')].map(({ length }) => length)).toEqual([1, 0])
    const round = { requestState: resultOf(half)['requestState'] as string, inputResponses: b }
    expect(new Set(Object.values(statusesIn(resultOf(await retry(url, 'flow', round)))))).toEqual(
      new Set(['completed']),
    )
  })

  test('by two at once, one each: both count', async () => {
    const { backend, url, requestState, a, b } = await asked()
    const responses = await Promise.all(
      [a, b].map((inputResponses) => retry(url, 'flow', { requestState, inputResponses })),
    )
    for (const response of responses) expect(response['error']).toBeUndefined()
    expect(responses.some((response) => resultOf(response)['resultType'] === 'complete')).toBe(true)
    expect([backend.calls('first'), backend.calls('second')].map(({ length }) => length)).toEqual([1, 1])
  })

  test('the second of which the client can no longer be asked', async () => {
    const backend = await toolBackend({ work: same })
    const steps = [approval('a'), call('work', 'work', { dependsOn: ['a'] }), approval('b', { dependsOn: ['work'] })]
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps }])
    const first = await retry(gateway.url, 'flow', {})
    const second = resultOf(await retry(gateway.url, 'flow', roundOf(first, YES), { capabilities: {} }))
    expect(textIn(second)).toBe('Workflow "flow" failed at step "b": The client cannot be asked this question')
  })
})

test('of two who wait for the same run, one may leave', async () => {
  const long = slow()
  const backend = await toolBackend({ push: long.tool })
  const steps = [approval('sure'), call('push', 'push', { dependsOn: ['sure'] })]
  const gateway = await gatewayWith(backend, [{ name: 'flow', steps }])
  const client = await callerOf('modern', gateway.url)
  const running = client.call('flow')
  await running.questions(1)
  const round = roundOf((await running.response())!, YES)
  await running.answer(YES)
  await long.started
  const other = retry(gateway.url, 'flow', round)
  await new Promise((resolve) => setTimeout(resolve, 50))
  running.disconnect()
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(backend.cancelled).toEqual([])
  long.finish({ done: true })
  expect(await other).toMatchObject({ result: { structuredContent: { done: true } } })
})

test('who comes back and leaves cancels the run', async () => {
  const long = slow()
  const backend = await toolBackend({ push: long.tool })
  const steps = [approval('sure'), call('push', 'push', { dependsOn: ['sure'] })]
  const gateway = await gatewayWith(backend, [{ name: 'flow', steps }])
  const running = (await callerOf('modern', gateway.url)).call('flow')
  await running.questions(1)
  await running.answer(YES)
  await long.started
  running.disconnect()
  await long.cancelled
  await waitFor(async () => (await lastRun(gateway))?.status === 'cancelled')
})

describe('a legacy client that is asked', () => {
  const steps = [approval('sure'), call('push', 'push', { dependsOn: ['sure'] })]

  test('may lose its stream and answer all the same', async () => {
    const backend = await toolBackend({ push: same })
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps }])
    const session = await openSession(gateway.url)
    const exchange = session.start(7, 'tools/call', { name: 'flow', arguments: {} })
    await waitFor(() => exchange.messages.length > 0)
    exchange.abort()
    const lost = exchange.eventIds.at(-1)!
    const resumed = session.listen(lost)
    await session.send({ jsonrpc: '2.0', id: exchange.messages[0]!['id']!, result: YES })
    expect(await resumed.response).toMatchObject({ id: 7, result: { structuredContent: {} } })
    expect(backend.calls('push')).toHaveLength(1)
    await session.end()
  })

  test('and ends its session interrupts the run', async () => {
    const backend = await toolBackend({ push: same })
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps }])
    const session = await openSession(gateway.url)
    const exchange = session.start(7, 'tools/call', { name: 'flow', arguments: {} })
    await waitFor(() => exchange.messages.length > 0)
    await session.end()
    await waitFor(async () => ['interrupted', 'cancelled'].includes((await lastRun(gateway))?.status ?? ''))
    expect(backend.calls('push')).toEqual([])
  })

  test('and answers with an error fails', async () => {
    const backend = await toolBackend({ push: same })
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps }])
    const session = await openSession(gateway.url)
    const exchange = session.start(7, 'tools/call', { name: 'flow', arguments: {} })
    await waitFor(() => exchange.messages.length > 0)
    const error = { code: -32603, message: 'no screen' }
    await session.send({ jsonrpc: '2.0', id: exchange.messages[0]!['id']!, error })
    const response = await exchange.response
    expect(JSON.stringify(response)).toContain('no screen')
    expect(backend.calls('push')).toEqual([])
    await session.end()
  })

  test('and whose session ends while a step runs takes the step with it', async () => {
    const long = slow()
    const backend = await toolBackend({ push: long.tool })
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps: [call('push', 'push')] }])
    const session = await openSession(gateway.url)
    session.start(7, 'tools/call', { name: 'flow', arguments: {} })
    await long.started
    await session.end()
    await long.cancelled
  })
})

describe.each(ERAS)('for a %s client', (era) => {
  test('a branch that fails cancels the others', async () => {
    const long = slow()
    const backend = await toolBackend({ long: long.tool, fails: () => failure('no') })
    backend.tools['fails'] = async () => {
      await long.started
      return failure('no')
    }
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps: [call('a', 'long'), call('b', 'fails')] }])
    const result = await (await callerOf(era, gateway.url)).call('flow').result()
    expect(textIn(result)).toBe('Workflow "flow" failed at step "b": no')
    expect(statusesIn(result)).toEqual({ a: 'cancelled', b: 'failed' })
    await long.cancelled
  })

  test('a run may take longer than one call', async () => {
    const backend = await toolBackend({
      work: async () => {
        await new Promise((resolve) => setTimeout(resolve, 120))
        return {}
      },
    })
    const steps = [call('a', 'work'), call('b', 'work', { dependsOn: ['a'] }), call('c', 'work', { dependsOn: ['b'] })]
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps }], {
      operational: { timeouts: { default: '250ms' } },
    })
    expect(statusesIn(await (await callerOf(era, gateway.url)).call('flow').result())).toMatchObject({ c: 'completed' })
  })

  test('names that clients cannot use are shown as they can', async () => {
    const backend = await toolBackend({ work: same })
    const gateway = await gatewayWith(backend, [
      { name: 'my.flow', steps: [approval('a'), call('b', 'work', { dependsOn: ['a'] })] },
    ])
    const client = await callerOf(era, gateway.url)
    expect((await client.tools()).map(({ name }) => name)).toContain('my_flow')
    const running = client.call('my_flow')
    await running.questions(1)
    await running.answer(YES)
    expect(statusesIn(await running.result())).toEqual({ a: 'completed', b: 'completed' })
  })

  test('many runs at once keep their answers apart', async () => {
    const backend = await toolBackend({ work: same })
    const parameters = { type: 'object', properties: { n: { type: 'integer' } } }
    const steps = [
      approval('ask', { message: '{{params.n}}', schema: { type: 'object', properties: { n: { type: 'integer' } } } }),
      call('work', 'work', { arguments: { n: '{{params.n}}', heard: '{{steps.ask.output.content.n}}' } }),
    ]
    const gateway = await gatewayWith(backend, [{ name: 'flow', parameters, steps }])
    const client = await callerOf(era, gateway.url)
    const all = Array.from({ length: 20 }, async (_, n) => {
      const running = client.call('flow', { n })
      await running.questions(1)
      await running.answer(({ params }) => accept({ n: Number(params['message']) }))
      expect(await running.result()).toMatchObject({ structuredContent: { n, heard: n } })
    })
    await Promise.all(all)
    expect(backend.calls('work')).toHaveLength(20)
  })

  test('a tool that runs as a task is run to its end', async () => {
    let task: JsonObject = {
      taskId: 't',
      status: 'working',
      createdAt: 'c',
      lastUpdatedAt: 'l',
      ttl: null,
      pollInterval: 20,
    }
    const backend = await toolBackend(
      {},
      {
        era: 'legacy',
        tools: [listed('job', { execution: { taskSupport: 'required' } })],
        capabilities: { tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } },
        methods: {
          'tools/call': () => ({ task }),
          'tasks/get': () => (task = { ...task, status: 'completed' }),
          'tasks/result': () => ({ content: [], structuredContent: { done: true } }),
        },
      },
    )
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps: [call('job', 'job')] }])
    expect(await (await callerOf(era, gateway.url)).call('flow').result()).toMatchObject({
      structuredContent: { done: true },
    })
  })

  test('a link that a backend wants opened first is asked about, and the step made again', async () => {
    const url = 'https://id.example/sign'
    let calls = 0
    const backend = await toolBackend({ work: same }, { era: 'legacy' })
    backend.script.methods = {
      'tools/call': () => {
        if (++calls > 1) return { content: [], structuredContent: { done: true } }
        const elicitations = [{ mode: 'url', elicitationId: 'e', url, message: 'Sign in' }]
        // oxlint-disable-next-line no-throw-literal, typescript/only-throw-error -- what the script takes for a JSON-RPC error
        throw { code: -32042, message: 'Sign in first', data: { elicitations } }
      },
    }
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps: [call('work', 'work')] }])
    const running = (await callerOf(era, gateway.url)).call('flow')
    const [question] = await running.questions(1)
    expect(question?.params).toMatchObject({ mode: 'url', url })
    await running.answer({ action: 'accept' })
    expect(await running.result()).toMatchObject({ structuredContent: { done: true } })
  })
})

test('runs that cannot be kept are refused, and other tools are not', async () => {
  const backend = await toolBackend({ work: same })
  const path = join(folder(), 'taken')
  writeFileSync(path, 'a file where a folder should be')
  const gateway = await gatewayWith(backend, [{ name: 'flow', steps: [call('a', 'work')] }], {
    workflowStorage: { provider: 'file', path },
  })
  const client = await callerOf('modern', gateway.url)
  expect(await client.call('flow').response()).toMatchObject({ error: { code: -32603 } })
  expect(await client.call('work').result()).toMatchObject({ structuredContent: {} })
  expect(backend.calls('work')).toHaveLength(1)
})

test('a question of a backend does not outlive its process', async () => {
  const backend = await toolBackend(
    {
      work: async (_args, exchange) => ({ answer: (await exchange.ask('elicitation/create', FORM))['result'] ?? null }),
    },
    { era: 'legacy' },
  )
  const stateFolder = folder()
  const start = () =>
    gatewayWith(
      backend,
      [{ name: 'flow', steps: [call('work', 'work')] }],
      { workflowStorage: { provider: 'file' } },
      { stateFolder },
    )
  const first = await start()
  const asked = await retry(first.url, 'flow', {})
  await first.close()
  const second = await start()
  const response = await retry(second.url, 'flow', roundOf(asked, accept({})))
  expect(response).toMatchObject({ error: { code: -32602, message: expect.stringContaining('no run waits') } })
  expect(await lastRun(second)).toMatchObject({ status: 'interrupted' })
  expect(backend.calls('work')).toHaveLength(1)
})

test.each<[string, (backend: ToolBackend) => ToolBackend['tools'][string], JsonObject, string]>([
  ['says so', () => () => failure('no'), {}, 'error'],
  ['is lost', (backend) => async () => (await backend.restart(), {}), {}, 'lost'],
  [
    'is too slow',
    () =>
      (_args, { signal }) =>
        new Promise((done) => signal.addEventListener('abort', () => done({}))),
    { timeout: '50ms' },
    'timeout',
  ],
])('the history knows why a step has failed: its tool %s', async (_how, tool, more, kind) => {
  const backend = await toolBackend({ work: same })
  backend.tools['work'] = tool(backend)
  const gateway = await gatewayWith(backend, [{ name: 'flow', steps: [call('work', 'work', more)] }])
  await (await callerOf('modern', gateway.url)).call('flow').result()
  expect(await lastRun(gateway)).toMatchObject({ status: 'failed', failure: { kind, step: 'work' } })
})

test('an answer that declines is remembered as well', async () => {
  const backend = await toolBackend({ work: same })
  const gateway = await gatewayWith(backend, [
    { name: 'flow', steps: [approval('a'), call('b', 'work', { dependsOn: ['a'] })] },
  ])
  const round = roundOf(await retry(gateway.url, 'flow', {}), DECLINE)
  const first = await retry(gateway.url, 'flow', round)
  expect(first).toMatchObject({ result: { isError: true } })
  expect(resultOf(await retry(gateway.url, 'flow', round))['content']).toEqual(resultOf(first)['content'])
})

test.each<[string, JsonObject]>([
  ['excludeAllTools', { excludeAllTools: true }],
  ['defaultToolVisibility', { defaultToolVisibility: 'deny' }],
])('a gateway may show its workflows alone: %s', async (_key, aggregation) => {
  const backend = await toolBackend({ work: same })
  const gateway = await gatewayWith(backend, [{ name: 'flow', steps: [call('a', 'work')] }], { aggregation })
  const client = await callerOf('modern', gateway.url)
  expect((await client.tools()).map(({ name }) => name)).toEqual(['flow'])
  expect(statusesIn(await client.call('flow').result())).toEqual({ a: 'completed' })
  expect(await client.call('work').response()).toMatchObject({ error: { code: -32602 } })
})

test('a legacy client that cancels while a backend asks cancels at the backend', async () => {
  const backend = await toolBackend(
    {
      work: (_args, exchange) => exchange.ask('elicitation/create', FORM),
    },
    { era: 'legacy' },
  )
  const gateway = await gatewayWith(backend, [{ name: 'flow', steps: [call('work', 'work')] }])
  const running = (await callerOf('legacy', gateway.url)).call('flow')
  await running.questions(1)
  await running.cancel()
  await waitFor(() => backend.cancelled.length === 1)
})

test('an older legacy client is asked with what its revision knows', async () => {
  const backend = await toolBackend({ work: same })
  const steps = [approval('a'), call('b', 'work', { dependsOn: ['a'] })]
  const gateway = await gatewayWith(backend, [{ name: 'flow', steps }])
  const session = await openSession(gateway.url, '2025-06-18', { elicitation: {} })
  const exchange = session.start(7, 'tools/call', { name: 'flow', arguments: {} })
  await waitFor(() => exchange.messages.length > 0)
  const [question] = exchange.messages
  expect(question).toMatchObject({ method: 'elicitation/create', params: { message: 'a?' } })
  expect(question?.['params']).not.toHaveProperty('mode')
  await session.send({ jsonrpc: '2.0', id: question!['id']!, result: YES })
  expect(await exchange.response).toMatchObject({ result: { structuredContent: {} } })
  // Before that nobody could be asked.
  const oldest = await openSession(gateway.url, '2025-03-26', {})
  const { result } = await oldest.tool('flow')
  expect(textIn(result as Result)).toContain('The client cannot be asked this question')
  await Promise.all([session.end(), oldest.end()])
})

test('of two questions to a legacy client one is answered and one is not', async () => {
  const backend = await toolBackend({ work: same })
  const steps = ['a', 'b'].flatMap((id) => [
    approval(id, { onCancel: { action: 'continue' } }),
    call(`after_${id}`, 'work', { arguments: { answer: `${id} {{steps.${id}.output.action}}` } }),
  ])
  const gateway = await gatewayWith(backend, [{ name: 'flow', steps }], { workflowLimits: { askTimeout: '200ms' } })
  const session = await openSession(gateway.url)
  const exchange = session.start(7, 'tools/call', { name: 'flow', arguments: {} })
  await waitFor(() => exchange.messages.length === 2)
  const first = exchange.messages.find(({ params }) => (params as JsonObject)['message'] === 'a?')
  await session.send({ jsonrpc: '2.0', id: first!['id']!, result: YES })
  await exchange.response
  expect(backend.given('work')).toEqual([{ answer: 'a accept' }, { answer: 'b cancel' }])
  await session.end()
})
