import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

import type { JsonObject } from '../../../src/model/json.ts'
import { approval, call, folder, gatewayWith, same, slow, toolBackend, type ToolBackend } from './world.ts'
import { callerOf, ERAS, namesOf, retry, statusesIn, textIn, YES } from './callers.ts'

const STEPS = [call('read', 'read'), call('write', 'write', { dependsOn: ['read'] })]
const FLOW: JsonObject = { name: 'flow', steps: STEPS }

const EVERYTHING = 'permit(principal, action, resource);'

const ruled = (backend: ToolBackend, workflows: JsonObject[], ...policies: string[]) =>
  gatewayWith(backend, workflows, { incomingAuth: { type: 'anonymous', authz: { type: 'cedar', policies } } })

const twoTools = () => toolBackend({ read: same, write: same })

describe.each(ERAS)('policies, for a %s client', (era) => {
  test('deny a step in the middle, which fails the run, and the backend is not asked', async () => {
    const backend = await twoTools()
    const gateway = await ruled(
      backend,
      [FLOW],
      EVERYTHING,
      'forbid(principal, action, resource == Tool::"write") when { context.origin == "workflow" };',
    )
    const client = await callerOf(era, gateway.url)
    const result = await client.call('flow').result()
    expect(result).toMatchObject({ isError: true })
    expect(textIn(result)).toBe('Workflow "flow" failed at step "write": call denied by authorization policy')
    expect(statusesIn(result)).toEqual({ read: 'completed', write: 'failed' })
    expect(backend.calls('write')).toEqual([])
    // What the client calls itself is another matter.
    expect(await client.call('write').result()).not.toHaveProperty('isError')
  })

  test('count within workflows too: what nobody may call, nobody may run', async () => {
    const backend = await twoTools()
    const inner = { name: 'inner', steps: [call('write', 'write')] }
    const outer = { name: 'outer', steps: [{ id: 'in', type: 'workflow', workflow: 'inner' }] }
    const result = async (...policies: string[]) => {
      const gateway = await ruled(backend, [inner, outer], ...policies)
      return (await callerOf(era, gateway.url)).call('outer').result()
    }
    const denied = await result(EVERYTHING, 'forbid(principal, action, resource == Tool::"inner");')
    expect(textIn(denied)).toBe('Workflow "outer" failed at step "in": call denied by authorization policy')
    expect(backend.calls('write')).toEqual([])
    // Each workflow is judged by its own name, wherever it runs.
    const own = 'permit(principal, action, resource == Tool::"write") when { context.workflow == "inner" };'
    const only = (name: string) => `permit(principal, action, resource == Tool::"${name}");`
    expect(await result(only('outer'), only('inner'), own)).not.toHaveProperty('isError')
    expect(backend.calls('write')).toHaveLength(1)
  })

  test('a denied step is not tried again, and may be gone over', async () => {
    const backend = await twoTools()
    const never = 'forbid(principal, action, resource == Tool::"write") when { context.origin == "workflow" };'
    const retried = { onError: { action: 'retry', retryCount: 3, retryDelay: '1ms' } }
    const gateway = await ruled(
      backend,
      [
        { name: 'again', steps: [call('write', 'write', retried)] },
        { name: 'over', steps: [call('write', 'write', { onError: { action: 'continue' } }), call('read', 'read')] },
      ],
      EVERYTHING,
      never,
    )
    const client = await callerOf(era, gateway.url)
    expect(textIn(await client.call('again').result())).toContain('denied by authorization policy')
    expect(statusesIn(await client.call('over').result())).toEqual({ write: 'failed', read: 'completed' })
    const denied = gateway.events.filter(({ name }) => name === 'policy.denied')
    expect(denied).toHaveLength(2)
  })

  test('open a tool to one workflow alone', async () => {
    const backend = await twoTools()
    const gateway = await ruled(
      backend,
      [FLOW, { ...FLOW, name: 'other' }],
      'permit(principal, action, resource) when { resource == Tool::"flow" || resource == Tool::"other" };',
      'permit(principal, action, resource) when { context.origin == "workflow" && context.workflow == "flow" };',
    )
    const client = await callerOf(era, gateway.url)
    expect(namesOf(await client.tools())).toEqual(['flow', 'other'])
    expect(statusesIn(await client.call('flow').result())).toEqual({ read: 'completed', write: 'completed' })
    expect(textIn(await client.call('other').result())).toContain('at step "read": call denied by authorization policy')
    expect(await client.call('read').response()).toMatchObject({
      error: { code: -32602, message: 'Unknown tool: read' },
    })
    expect([backend.calls('read'), backend.calls('write')].map(({ length }) => length)).toEqual([1, 1])
  })

  test('judge a step by its arguments', async () => {
    const backend = await twoTools()
    const parameters = { type: 'object', properties: { path: { type: 'string' } } }
    const steps = [call('write', 'write', { arguments: { path: '{{params.path}}' } })]
    const gateway = await ruled(
      backend,
      [{ name: 'flow', parameters, steps }],
      EVERYTHING,
      'forbid(principal, action, resource == Tool::"write") when { context has arg_path && context.arg_path like "/etc/*" };',
    )
    const client = await callerOf(era, gateway.url)
    expect(statusesIn(await client.call('flow', { path: '/tmp/x' }).result())).toEqual({ write: 'completed' })
    expect(textIn(await client.call('flow', { path: '/etc/x' }).result())).toContain('denied by authorization policy')
    expect(backend.given('write')).toEqual([{ path: '/tmp/x' }])
  })

  test('hide a workflow: it is not listed, and as unknown as what is not there', async () => {
    const backend = await twoTools()
    const gateway = await ruled(backend, [FLOW], EVERYTHING, 'forbid(principal, action, resource == Tool::"flow");')
    const client = await callerOf(era, gateway.url)
    expect(namesOf(await client.tools())).toEqual(['read', 'write'])
    const hidden = await client.call('flow').response()
    const unknown = await client.call('nobody').response()
    const shape = (response: JsonObject | undefined) => JSON.stringify(response?.['error'])
    expect(shape(hidden).replaceAll('flow', 'nobody')).toBe(shape(unknown))
    expect(backend.calls('read')).toEqual([])
  })

  test('that change while the user is asked count for the steps that are left', async () => {
    const backend = await twoTools()
    const steps = [approval('sure'), call('write', 'write', { dependsOn: ['sure'] })]
    const config = (policies: string[]): JsonObject => ({
      backends: [{ name: 'one', url: backend.url }],
      compositeTools: [{ name: 'flow', steps }],
      incomingAuth: { type: 'anonymous', authz: { type: 'cedar', policies } },
    })
    const gateway = await ruled(backend, [{ name: 'flow', steps }], EVERYTHING)
    const running = (await callerOf(era, gateway.url)).call('flow')
    await running.questions(1)
    await gateway.reload(config([EVERYTHING, 'forbid(principal, action, resource == Tool::"write");']))
    await running.answer(YES)
    expect(textIn(await running.result())).toContain('at step "write": call denied by authorization policy')
    expect(backend.calls('write')).toEqual([])
  })
})

test('a workflow that is denied meanwhile cannot be gone on with', async () => {
  const backend = await twoTools()
  const workflow = { name: 'flow', steps: [approval('sure'), call('write', 'write', { dependsOn: ['sure'] })] }
  const gateway = await ruled(backend, [workflow], EVERYTHING)
  const running = (await callerOf('modern', gateway.url)).call('flow')
  await running.questions(1)
  await gateway.reload({
    backends: [{ name: 'one', url: backend.url }],
    compositeTools: [workflow],
    incomingAuth: {
      type: 'anonymous',
      authz: { type: 'cedar', policies: [EVERYTHING, 'forbid(principal, action, resource == Tool::"flow");'] },
    },
  })
  await running.answer(YES)
  expect(await running.response()).toMatchObject({ error: { code: -32602, message: 'Unknown tool: flow' } })
  expect(backend.calls('write')).toEqual([])
})

test('filters bind clients, not steps', async () => {
  const backend = await twoTools()
  const aggregation = { tools: [{ workload: 'one', filter: ['read'] }] }
  const gateway = await gatewayWith(backend, [FLOW, { name: 'native', steps: [call('w', 'one.write')] }], {
    aggregation,
  })
  for (const era of ERAS) {
    const client = await callerOf(era, gateway.url)
    expect(namesOf(await client.tools())).toEqual(['flow', 'native', 'read'])
    expect(statusesIn(await client.call('flow').result())).toEqual({ read: 'completed', write: 'completed' })
    expect(statusesIn(await client.call('native').result())).toEqual({ w: 'completed' })
    expect(await client.call('write').response()).toMatchObject({ error: { code: -32602 } })
  }
})

test('renamed tools are called by the name that they are shown with', async () => {
  const backend = await twoTools()
  const aggregation = { tools: [{ workload: 'one', overrides: { write: { name: 'store' } } }] }
  const gateway = await gatewayWith(backend, [{ name: 'flow', steps: [call('store', 'store')] }], { aggregation })
  expect(statusesIn(await (await callerOf('modern', gateway.url)).call('flow').result())).toEqual({
    store: 'completed',
  })
  expect(backend.calls('write')).toHaveLength(1)
})

describe('limits', () => {
  const bucket = { maxTokens: 1, refillPeriod: '1s' }
  const STEP_TWICE = { name: 'flow', steps: [call('a', 'read'), call('b', 'read', { dependsOn: ['a'] })] }

  test('a step that meets one waits within its time', async () => {
    const backend = await twoTools()
    const rateLimiting = { tools: [{ name: 'read', shared: bucket }] }
    const gateway = await gatewayWith(backend, [STEP_TWICE], { rateLimiting })
    const started = performance.now()
    const result = await (await callerOf('modern', gateway.url)).call('flow').result()
    expect(statusesIn(result)).toEqual({ a: 'completed', b: 'completed' })
    expect(performance.now() - started).toBeGreaterThan(900)
  })

  test('a step whose time does not allow for it fails at once, and says so', async () => {
    const backend = await twoTools()
    const rateLimiting = { tools: [{ name: 'read', shared: { maxTokens: 1, refillPeriod: '1h' } }] }
    const gateway = await gatewayWith(backend, [STEP_TWICE], { rateLimiting })
    const started = performance.now()
    const result = await (await callerOf('legacy', gateway.url)).call('flow').result()
    expect(textIn(result)).toMatch(/at step "b": Rate limit exceeded: try again in/)
    expect(performance.now() - started).toBeLessThan(900)
  })

  test('on the workflow itself is that of any tool, and going on with a run costs nothing', async () => {
    const backend = await twoTools()
    const workflow = { name: 'flow', steps: [approval('sure'), call('read', 'read', { dependsOn: ['sure'] })] }
    const rateLimiting = { tools: [{ name: 'flow', shared: { maxTokens: 1, refillPeriod: '1h' } }] }
    const gateway = await gatewayWith(backend, [workflow], { rateLimiting })
    const running = (await callerOf('modern', gateway.url)).call('flow')
    await running.questions(1)
    expect(await retry(gateway.url, 'flow', {})).toMatchObject({ error: { code: 429 } })
    await running.answer(YES)
    expect(statusesIn(await running.result())).toEqual({ sure: 'completed', read: 'completed' })
  })

  test('of one user count the steps as well', async () => {
    const backend = await twoTools()
    const token = 'a-token-of-32-characters-at-least-for-tests'
    const tokenFile = join(folder(), 'token')
    writeFileSync(tokenFile, token, { mode: 0o600 })
    const gateway = await gatewayWith(backend, [STEP_TWICE], {
      incomingAuth: { type: 'local', local: { tokenFile } },
      rateLimiting: { perUser: { maxTokens: 2, refillPeriod: '1h' } },
    })
    const { result } = await retry(gateway.url, 'flow', {}, { token })
    expect(statusesIn(result as JsonObject)).toEqual({ a: 'completed', b: 'failed' })
  })

  test('on what one user may have open: a workflow counts once, whatever its steps do', async () => {
    const backend = await twoTools()
    const many = Array.from({ length: 6 }, (_, index) => call(`s${index}`, 'read'))
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps: many }], {
      rateLimiting: { connections: { perUser: 1 } },
    })
    const result = await retry(gateway.url, 'flow', {})
    expect(Object.values(statusesIn(result['result'] as JsonObject))).toEqual(many.map(() => 'completed'))
  })
})

test('a step is watched for silence like any call, and an author’s own time comes first', async () => {
  const [one, two] = [slow(), slow()]
  const backend = await toolBackend({ one: one.tool, two: two.tool })
  const gateway = await gatewayWith(
    backend,
    [
      { name: 'silent', steps: [call('a', 'one')] },
      { name: 'patient', steps: [call('a', 'two', { timeout: '5s' })] },
    ],
    { operational: { timeouts: { default: '200ms' } } },
  )
  const client = await callerOf('modern', gateway.url)
  const patient = client.call('patient')
  const result = await client.call('silent').result()
  expect(textIn(result)).toMatch(/at step "a": .*operational\.timeouts\.default/)
  await one.cancelled
  two.finish()
  expect(statusesIn(await patient.result())).toEqual({ a: 'completed' })
})

test('a step that takes too long is cancelled, and so is what runs longer than its workflow may', async () => {
  const [one, two] = [slow(), slow()]
  const backend = await toolBackend({ one: one.tool, two: two.tool })
  const gateway = await gatewayWith(backend, [
    { name: 'step', steps: [call('a', 'one', { timeout: '100ms' })] },
    { name: 'run', timeout: '100ms', steps: [call('a', 'two')] },
  ])
  const client = await callerOf('modern', gateway.url)
  const [step, run] = await Promise.all([client.call('step').result(), client.call('run').result()])
  expect(textIn(step)).toContain('at step "a": No result within 100 ms')
  expect(textIn(run)).toMatch(/Workflow "run" timed out/)
  await Promise.all([one.cancelled, two.cancelled])
})
