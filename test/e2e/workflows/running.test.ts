import { describe, expect, test } from 'vitest'

import type { JsonObject } from '../../../src/model/json.ts'
import { ANONYMOUS } from '../../../src/model/principal.ts'
import { waitFor } from '../../support/processes.ts'
import { approval, call, failure, gatewayWith, same, slow, toolBackend } from './world.ts'
import { callerOf, ERAS, statusesIn, textIn, YES } from './callers.ts'

describe.each(ERAS)('a %s client', (era) => {
  test('is told of each step that ends, when it asked for it', async () => {
    const backend = await toolBackend({ work: same })
    const steps = ['a', 'b', 'c'].map((id, place, ids) =>
      call(id, 'work', place > 0 ? { dependsOn: [ids[place - 1]!] } : {}),
    )
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps }])
    const client = await callerOf(era, gateway.url)
    const running = client.call('flow', {}, { token: 'mine' })
    await running.result()
    expect(running.messages().map(({ method, params }) => [method, params])).toEqual(
      ['a completed', 'b completed', 'c completed'].map((message, place) => [
        'notifications/progress',
        expect.objectContaining({ progressToken: 'mine', progress: place + 1, total: 3, message }),
      ]),
    )
    const quiet = client.call('flow')
    await quiet.result()
    expect(quiet.messages()).toEqual([])
  })

  test('gets log lines of the steps, and none of their progress', async () => {
    const backend = await toolBackend({
      work: (_args, exchange) => {
        const { _meta } = exchange.params as { _meta?: JsonObject }
        expect(_meta).not.toHaveProperty('progressToken')
        exchange.notify('notifications/message', { level: 'error', data: 'from the step' })
        return {}
      },
    })
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps: [call('a', 'work')] }])
    const client = await callerOf(era, gateway.url)
    const running = client.call('flow', {}, { token: 7 })
    await running.result()
    const methods = running.messages().map(({ method }) => method)
    // A modern client gets only what it asked for in its request.
    expect(methods).toEqual([...(era === 'legacy' ? ['notifications/message'] : []), 'notifications/progress'])
  })

  test('has its progress grow over questions and loops', async () => {
    const backend = await toolBackend({ work: same })
    const steps = [
      { id: 'each', type: 'forEach', collection: '{{json params.items}}', step: { id: 'one', tool: 'work' } },
      approval('sure', { dependsOn: ['each'] }),
      call('end', 'work', { dependsOn: ['sure'] }),
    ]
    const parameters = { type: 'object', properties: { items: { type: 'array', items: { type: 'number' } } } }
    const gateway = await gatewayWith(backend, [{ name: 'flow', parameters, steps }])
    const running = (await callerOf(era, gateway.url)).call('flow', { items: [1, 2, 3] }, { token: 1 })
    await running.questions(1)
    await running.answer(YES)
    await running.result()
    const told = running.messages().flatMap(({ method, params }) => {
      return method === 'notifications/progress' ? [(params as { progress: number }).progress] : []
    })
    expect(told).toEqual([...new Set(told)].toSorted((a, b) => a - b))
    expect(told.at(-1)).toBe(3)
  })

  test.each(ERAS)('cancels, and everything below is cancelled, at a %s backend', async (server) => {
    const [one, two] = [slow(), slow()]
    const backend = await toolBackend({ one: one.tool, two: two.tool, never: same }, { era: server })
    const steps = [call('a', 'one'), call('b', 'two'), call('c', 'never', { dependsOn: ['a', 'b'] })]
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps }])
    const running = (await callerOf(era, gateway.url)).call('flow')
    await Promise.all([one.started, two.started])
    if (era === 'legacy') await running.cancel()
    else running.disconnect()
    await Promise.all([one.cancelled, two.cancelled])
    expect(backend.calls('never')).toEqual([])
    await waitFor(async () => {
      const [run] = await gateway.gateway.runs.list({}, ANONYMOUS)
      return run?.status === 'cancelled'
    })
  })

  test('cancels while it is asked', async () => {
    const backend = await toolBackend({ push: same })
    const steps = [approval('sure'), call('push', 'push', { dependsOn: ['sure'] })]
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps }])
    const running = (await callerOf(era, gateway.url)).call('flow')
    await running.questions(1)
    if (era === 'modern') return
    await running.cancel()
    await waitFor(async () => {
      const [run] = await gateway.gateway.runs.list({}, ANONYMOUS)
      return run?.status === 'cancelled'
    })
  })

  test('gets the result as structure and as text, with every step in its _meta', async () => {
    const backend = await toolBackend({ read: () => ({ lines: 3 }), fail: () => failure('disk full'), write: same })
    const steps = [
      call('read', 'read'),
      call('fail', 'fail', { onError: { action: 'continue' }, defaultResults: { lines: 0 } }),
      call('skipped', 'write', { condition: '{{gt steps.read.output.lines 5}}' }),
      call('write', 'write', {
        arguments: { sum: '{{steps.read.output.lines}}', none: '{{steps.fail.output.lines}}' },
      }),
    ]
    const output = {
      type: 'object',
      properties: {
        lines: { type: 'integer', value: '{{steps.read.output.lines}}' },
        wrote: { type: 'object', value: '{{steps.write.output}}' },
        said: { type: 'string', value: 'about {{params.topic}}' },
      },
      required: ['lines'],
    }
    const parameters = { type: 'object', properties: { topic: { type: 'string', default: 'nothing' } } }
    const workflow = { name: 'flow', description: 'Reads and writes', parameters, steps, output }
    const gateway = await gatewayWith(backend, [workflow])
    const client = await callerOf(era, gateway.url)
    const listed = (await client.tools()).find(({ name }) => name === 'flow')
    expect(listed).toMatchObject({
      description: 'Reads and writes',
      inputSchema: { type: 'object', properties: { topic: { type: 'string', default: 'nothing' } } },
      outputSchema: { type: 'object', properties: { lines: { type: 'integer' } }, required: ['lines'] },
    })
    const result = await client.call('flow').result()
    const structuredContent = { lines: 3, wrote: { sum: 3, none: 0 }, said: 'about nothing' }
    expect(result).toMatchObject({ structuredContent })
    expect(JSON.parse(textIn(result))).toEqual(structuredContent)
    expect(result['isError']).toBeUndefined()
    const ms = expect.any(Number)
    expect(result['_meta']).toMatchObject({
      'vmcp/workflow': [
        { id: 'read', status: 'completed', ms },
        { id: 'fail', status: 'failed', ms, error: 'disk full' },
        { id: 'skipped', status: 'skipped', ms: 0 },
        { id: 'write', status: 'completed', ms },
      ],
    })
  })

  test('is told which step has failed, and why', async () => {
    const backend = await toolBackend({ read: same, fail: () => failure('disk full') })
    const steps = [
      call('read', 'read'),
      call('fail', 'fail', { dependsOn: ['read'] }),
      call('after', 'read', { dependsOn: ['fail'] }),
    ]
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps }])
    const result = await (await callerOf(era, gateway.url)).call('flow').result()
    expect(result).toMatchObject({ isError: true })
    expect(textIn(result)).toBe('Workflow "flow" failed at step "fail": disk full')
    expect(statusesIn(result)).toMatchObject({ read: 'completed', fail: 'failed' })
    expect(statusesIn(result)['after']).not.toBe('completed')
    expect(backend.calls('read')).toHaveLength(1)
  })

  test('whose arguments do not fit is told so before anything runs', async () => {
    const backend = await toolBackend({ read: same })
    const parameters = { type: 'object', properties: { count: { type: 'integer' } }, required: ['count'] }
    const gateway = await gatewayWith(backend, [{ name: 'flow', parameters, steps: [call('read', 'read')] }])
    const client = await callerOf(era, gateway.url)
    for (const args of [{}, { count: 'many' }]) {
      const result = await client.call('flow', args).result()
      expect(result).toMatchObject({ isError: true })
      expect(textIn(result)).toMatch(/Invalid arguments for "flow": .*count/)
    }
    expect(backend.calls('read')).toEqual([])
  })
})

test('a legacy client that merely disconnects cancels nothing', async () => {
  const one = slow()
  const backend = await toolBackend({ one: one.tool, two: same })
  const steps = [call('a', 'one'), call('b', 'two', { dependsOn: ['a'] })]
  const gateway = await gatewayWith(backend, [{ name: 'flow', steps }])
  const running = (await callerOf('legacy', gateway.url)).call('flow')
  await one.started
  running.disconnect()
  await new Promise((resolve) => setTimeout(resolve, 50))
  one.finish()
  await waitFor(() => backend.calls('two').length === 1)
  expect(backend.cancelled).toEqual([])
})

describe('a composite as a step', () => {
  const inner: JsonObject = {
    name: 'greet',
    parameters: { type: 'object', properties: { who: { type: 'string' } }, required: ['who'] },
    steps: [
      call('say', 'say', { arguments: { text: 'Hello {{params.who}}' } }),
      approval('sure', { message: 'Send "{{steps.say.output.text}}"?' }),
      call('send', 'send', { dependsOn: ['sure'], arguments: { text: '{{steps.say.output.text}}' } }),
    ],
    output: { type: 'object', properties: { sent: { type: 'string', value: '{{steps.send.output.text}}' } } },
  }
  const outer: JsonObject = {
    name: 'meet',
    steps: [
      { id: 'ada', type: 'workflow', workflow: 'greet', arguments: { who: 'Ada' } },
      call('note', 'note', { arguments: { what: '{{steps.ada.output.sent}}' } }),
    ],
  }

  test.each(ERAS)('runs with its question, for a %s client', async (era) => {
    const backend = await toolBackend({ say: same, send: same, note: same })
    const gateway = await gatewayWith(backend, [outer, inner])
    const running = (await callerOf(era, gateway.url)).call('meet')
    const [question] = await running.questions(1)
    expect(question?.params['message']).toBe('Send "Hello Ada"?')
    await running.answer(YES)
    const result = await running.result()
    expect(statusesIn(result)).toEqual({ ada: 'completed', note: 'completed' })
    expect(backend.given('note')).toEqual([{ what: 'Hello Ada' }])
    expect([backend.calls('say'), backend.calls('send')].map(({ length }) => length)).toEqual([1, 1])
  })

  test('is no tool of a step: its name in `tool` is refused with the way out', async () => {
    const backend = await toolBackend({ say: same, send: same })
    const wrong = { name: 'wrong', steps: [call('ada', 'greet')] }
    const gateway = await gatewayWith(backend, [wrong, inner])
    const client = await callerOf('modern', gateway.url)
    expect((await client.tools()).map(({ name }) => name)).not.toContain('wrong')
    expect(gateway.events).toContainEqual({
      name: 'workflow.withdrawn',
      data: expect.objectContaining({ workflow: 'wrong', hint: expect.stringContaining('type: workflow') }),
    })
  })

  test('that runs itself is refused, and its neighbours are not', async () => {
    const backend = await toolBackend({ say: same })
    const step = (workflow: string): JsonObject => ({ id: 'next', type: 'workflow', workflow })
    const workflows = [
      { name: 'one', steps: [step('two')] },
      { name: 'two', steps: [step('one')] },
      { name: 'fine', steps: [call('say', 'say')] },
    ]
    const gateway = await gatewayWith(backend, workflows)
    const client = await callerOf('modern', gateway.url)
    expect((await client.tools()).map(({ name }) => name)).toEqual(expect.arrayContaining(['fine', 'say']))
    expect(await client.tools()).toHaveLength(2)
  })
})

describe('forEach', () => {
  const parameters = { type: 'object', properties: { items: { type: 'array', items: { type: 'string' } } } }
  const each = (more: JsonObject = {}, step: JsonObject = {}): JsonObject => ({
    name: 'all',
    parameters,
    steps: [
      {
        id: 'each',
        type: 'forEach',
        collection: '{{json params.items}}',
        ...more,
        step: { id: 'one', tool: 'send', arguments: { to: '{{forEach.item}}' }, ...step },
      },
      call('count', 'count', { arguments: { all: '{{steps.each.output}}' } }),
    ],
  })
  const fails = (args: JsonObject): JsonObject => (args['to'] === 'b' ? failure('no such person') : args)

  test('one of three items fails, and the run with it', async () => {
    const backend = await toolBackend({ send: fails, count: same })
    const gateway = await gatewayWith(backend, [each({ maxParallel: 1 })])
    const result = await (await callerOf('modern', gateway.url)).call('all', { items: ['a', 'b', 'c'] }).result()
    expect(textIn(result)).toMatch(/^Workflow "all" failed at step "each": .*no such person/)
    expect(backend.given('send')).toEqual([{ to: 'a' }, { to: 'b' }])
    expect(backend.calls('count')).toEqual([])
  })

  test('one of three items fails, and the others go on since the author says so', async () => {
    const backend = await toolBackend({ send: fails, count: same })
    const gateway = await gatewayWith(backend, [each({}, { onError: { action: 'continue' } })])
    const result = await (await callerOf('modern', gateway.url)).call('all', { items: ['a', 'b', 'c'] }).result()
    expect(statusesIn(result)).toEqual({ each: 'completed', count: 'completed' })
    expect(backend.given('send')).toHaveLength(3)
    expect(JSON.stringify(backend.given('count'))).toContain('no such person')
  })

  test('results come in order, and no more run at once than it says', async () => {
    let [now, most] = [0, 0]
    const backend = await toolBackend({
      send: async (args) => {
        most = Math.max(most, ++now)
        await new Promise((resolve) => setTimeout(resolve, args['to'] === 'a' ? 40 : 5))
        now--
        return args
      },
      count: same,
    })
    const gateway = await gatewayWith(backend, [each({ maxParallel: 2 })])
    const items = ['a', 'b', 'c', 'd', 'e']
    await (await callerOf('modern', gateway.url)).call('all', { items }).result()
    expect(most).toBe(2)
    const [given] = backend.given('count') as { all: { iterations: { output: JsonObject }[] } }[]
    expect(given?.all.iterations.map(({ output }) => output['to'])).toEqual(items)
  })
})
