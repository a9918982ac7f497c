import { describe, expect, onTestFinished, test } from 'vitest'

import type { JsonObject } from '../../../src/model/json.ts'
import { startGateway } from '../../support/gateway.ts'
import { waitFor } from '../../support/processes.ts'
import { startSource, WIRES } from '../../support/sources.ts'
import { call, failure, gatewayWith, same, type Tool, toolBackend, type ToolBackend } from './world.ts'
import { callerOf, ERAS, statusesIn, textIn } from './callers.ts'

const RETRY: JsonObject = { onError: { action: 'retry', retryCount: 3, retryDelay: '20ms' } }

const keysOf = (backend: ToolBackend, tool: string): unknown[] =>
  backend.calls(tool).map(({ _meta }) => (_meta as JsonObject)['vmcp/idempotencyKey'])

describe.each(ERAS)('a %s backend that is lost while a step runs', (era) => {
  /** Its first call is cut; it is there again before anybody tries again. */
  async function lost(step: JsonObject, config: JsonObject = {}) {
    const backend = await toolBackend({ work: same, before: same, after: same }, { era })
    backend.tools['work'] = async (args) => {
      if (backend.calls('work').length > 1) return { ...args, again: true }
      await backend.restart()
      return args
    }
    const steps = [
      call('before', 'before'),
      call('work', 'work', { dependsOn: ['before'], ...step }),
      call('after', 'after', { dependsOn: ['work'] }),
    ]
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps }], config)
    const result = await (await callerOf('modern', gateway.url)).call('flow').result()
    return { backend, result }
  }

  test('is not called again, although its author wants a retry: it may have done its work', async () => {
    const { backend, result } = await lost(RETRY)
    expect(result).toMatchObject({ isError: true })
    expect(textIn(result)).toMatch(/^Workflow "flow" failed at step "work": .*backend "one"/)
    expect(statusesIn(result)).toMatchObject({ before: 'completed', work: 'failed' })
    expect([backend.calls('work'), backend.calls('after')].map(({ length }) => length)).toEqual([1, 0])
  })

  test('is called again when the author says that it does no harm, with the same key', async () => {
    const { backend, result } = await lost({ ...RETRY, idempotent: true })
    expect(statusesIn(result)).toEqual({ before: 'completed', work: 'completed', after: 'completed' })
    const keys = keysOf(backend, 'work')
    expect(keys).toHaveLength(2)
    expect(keys[0]).toEqual(expect.stringMatching(/./))
    expect(new Set(keys).size).toBe(1)
  })

  test('is called again when the operator says that the tool only reads', async () => {
    const overrides = { work: { annotations: { readOnlyHint: true } } }
    const { backend } = await lost(RETRY, { aggregation: { tools: [{ workload: 'one', overrides }] } })
    expect(backend.calls('work')).toHaveLength(2)
  })

  test('is not called again without a retry, whatever harm it does', async () => {
    const { backend } = await lost({ idempotent: true })
    expect(backend.calls('work')).toHaveLength(1)
  })
})

test('that a tool only reads is believed of nobody but the operator', async () => {
  const backend = await toolBackend(
    { work: same },
    {
      tools: [{ name: 'work', inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } }],
    },
  )
  backend.tools['work'] = async () => {
    await backend.restart()
    return {}
  }
  const gateway = await gatewayWith(backend, [{ name: 'flow', steps: [call('work', 'work', RETRY)] }])
  expect(await (await callerOf('modern', gateway.url)).call('flow').result()).toMatchObject({ isError: true })
  expect(backend.calls('work')).toHaveLength(1)
})

describe.each(ERAS.flatMap((era) => WIRES.map((wire) => [era, wire] as const)))(
  'a %s server over %s that is killed in the middle',
  (era, wire) => {
    test('fails the step, names the server, and the run goes over it if it may', async () => {
      const source = await startSource(era, wire)
      onTestFinished(() => source.close())
      const steps = [
        call('work', 'work', { arguments: { key: 'k', wait: true }, onError: { action: 'continue' } }),
        call('end', 'other_end', { dependsOn: ['work'], arguments: { why: '{{steps.work.error}}' } }),
      ]
      for (const step of steps) if (step['tool'] === 'work') step['tool'] = 'one_work'
      const other = await toolBackend({ end: same })
      const gateway = await startGateway({
        backends: [
          { name: 'one', ...source.config },
          { name: 'other', url: other.url },
        ],
        compositeTools: [{ name: 'flow', steps }],
      })
      onTestFinished(() => gateway.close())
      const running = (await callerOf('legacy', gateway.url)).call('flow')
      await waitFor(() => source.notes().includes('called k'))
      await source.fault('killed')
      const result = await running.result()
      expect(statusesIn(result)).toEqual({ work: 'failed', end: 'completed' })
      expect(JSON.stringify(other.given('end'))).toContain('backend \\"one\\"')
      expect(source.notes().filter((note) => note === 'called k')).toHaveLength(1)
    })
  },
)

describe('a backend that is down before the call', () => {
  /** The first step stops the other backend; the second calls it. */
  async function down(step: JsonObject) {
    const there = await toolBackend({ first: same })
    const gone = await toolBackend({ second: same })
    const { promise: stopped, resolve } = Promise.withResolvers<void>()
    there.tools['first'] = async () => {
      await gone.stop()
      resolve()
      return {}
    }
    const steps = [call('first', 'there_first'), call('second', 'gone_second', { dependsOn: ['first'], ...step })]
    const gateway = await gatewayWith({ there, gone }, [{ name: 'flow', steps }])
    const running = (await callerOf('modern', gateway.url)).call('flow')
    await stopped
    return { gone, gateway, running }
  }

  test('fails the step, and says why', async () => {
    const { running, gone } = await down({})
    const result = await running.result()
    expect(textIn(result)).toMatch(/failed at step "second": .*backend "gone" cannot be reached/)
    expect(gone.calls('second')).toEqual([])
  })

  test('is called again when the author wants a retry: nothing was sent', async () => {
    const { running, gone } = await down({ onError: { action: 'retry', retryCount: 8, retryDelay: '100ms' } })
    await new Promise((resolve) => setTimeout(resolve, 150))
    await gone.start()
    expect(statusesIn(await running.result())).toEqual({ first: 'completed', second: 'completed' })
    expect(gone.calls('second')).toHaveLength(1)
  })

  test('and stays so: the retries end', async () => {
    const { running } = await down({ onError: { action: 'retry', retryCount: 2, retryDelay: '10ms' } })
    expect(textIn(await running.result())).toMatch(/at step "second": .*backend "gone" cannot be reached/)
  })
})

describe('retries', () => {
  test('of a tool that says that it has failed', async () => {
    let times = 0
    const backend = await toolBackend({ work: () => (++times < 3 ? failure(`no ${times}`) : { times }) })
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps: [call('work', 'work', RETRY)] }])
    expect(await (await callerOf('legacy', gateway.url)).call('flow').result()).toMatchObject({
      structuredContent: { times: 3 },
    })
    expect(new Set(keysOf(backend, 'work')).size).toBe(1)
  })

  test('end with the last error', async () => {
    let times = 0
    const backend = await toolBackend({ work: () => failure(`no ${++times}`) })
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps: [call('work', 'work', RETRY)] }])
    const result = await (await callerOf('modern', gateway.url)).call('flow').result()
    expect(textIn(result)).toBe('Workflow "flow" failed at step "work": no 4')
  })

  test('of a call that was too slow are made only when they do no harm', async () => {
    const never: Tool = (_args, { signal }) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve({})))
    const backend = await toolBackend({ harmful: never, harmless: never })
    const own = { ...RETRY, timeout: '50ms' }
    const gateway = await gatewayWith(backend, [
      { name: 'once', steps: [call('work', 'harmful', own)] },
      { name: 'again', steps: [call('work', 'harmless', { ...own, idempotent: true })] },
    ])
    const client = await callerOf('modern', gateway.url)
    await Promise.all(['once', 'again'].map((name) => client.call(name).result()))
    expect(['harmful', 'harmless'].map((name) => backend.calls(name).length)).toEqual([1, 4])
  })
})

test('each call of a run has a key of its own, and each run has others', async () => {
  const backend = await toolBackend({ work: same })
  const steps = [
    call('a', 'work'),
    call('b', 'work'),
    { id: 'each', type: 'forEach', collection: '[1, 2]', step: { id: 'one', tool: 'work' } },
  ]
  const gateway = await gatewayWith(backend, [{ name: 'flow', steps }])
  const client = await callerOf('modern', gateway.url)
  for (let runs = 1; runs <= 2; runs++) {
    await client.call('flow').result()
    expect(new Set(keysOf(backend, 'work')).size).toBe(4 * runs)
  }
})

test('a backend that speaks nonsense fails its step', async () => {
  const backend = await toolBackend({ work: same }, { sessions: false })
  backend.script.truncate = ['tools/call']
  const gateway = await gatewayWith(backend, [{ name: 'flow', steps: [call('work', 'work', RETRY)] }])
  const result = await (await callerOf('modern', gateway.url)).call('flow').result()
  expect(result).toMatchObject({ isError: true })
  expect(backend.calls('work')).toHaveLength(1)
})
