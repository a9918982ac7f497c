import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { isObject, type JsonObject } from '../../../src/model/json.ts'
import { modernAt } from '../../matrix/peers/raw.ts'
import { startProvider, type RunningProvider } from '../../support/oidc/provider.ts'
import { waitFor } from '../../support/processes.ts'
import { legacyWire, modernListen, modernRequest, resultOf as resultIn } from '../../support/wire.ts'
import { CANCEL, statusesIn, YES } from './callers.ts'
import { approval, call, folder, gatewayWith, same, slow, toolBackend, type ToolBackend } from './world.ts'

const EXTENSION = 'io.modelcontextprotocol/tasks'
const TASKS: JsonObject = { elicitation: { form: {} }, extensions: { [EXTENSION]: {} } }
const NO_TASK = { error: { code: -32602, message: 'Failed to retrieve task: Task not found' } }
/** A call that ends sooner is answered with its result. */
const AT_ONCE_MS = 2000

/** A client that knows tasks. */
function clientOf(url: string, headers: Record<string, string> = {}, capabilities: JsonObject = TASKS) {
  const client = modernAt(url, capabilities)
  const start = (method: string, params: JsonObject, meta: JsonObject = {}) =>
    client.start(method, params, meta, headers)
  const ask = async (method: string, params: JsonObject) =>
    (await start(method, params).response) as JsonObject | undefined
  const result = async (method: string, params: JsonObject): Promise<JsonObject> => {
    const response = await ask(method, params)
    if (!isObject(response?.['result'])) throw new Error(`no result: ${JSON.stringify(response)}`)
    return response['result']
  }
  const get = (taskId: string) => result('tasks/get', { taskId })
  return {
    start,
    ask,
    get,
    flow: (name: string, more: JsonObject = {}) => result('tools/call', { name, arguments: {}, ...more }),
    update: (taskId: string, inputResponses: JsonObject) => ask('tasks/update', { taskId, inputResponses }),
    cancel: (taskId: string) => ask('tasks/cancel', { taskId }),
    until: (taskId: string, status: string): Promise<JsonObject> =>
      waitFor(async () => {
        const task = await get(taskId)
        return task['status'] === status ? task : undefined
      }),
  }
}

type Client = ReturnType<typeof clientOf>

async function handleOf(client: Client, name: string): Promise<string> {
  const handle = await client.flow(name)
  expect(handle['resultType']).toBe('task')
  return handle['taskId'] as string
}

const keysOf = ({ inputRequests }: JsonObject): string[] => Object.keys(inputRequests as JsonObject)
const stepsOf = ({ result }: JsonObject) => statusesIn(result as JsonObject)

describe('a composite tool, for a modern client that knows tasks', () => {
  test('is answered at once when it ends soon', async () => {
    const gateway = await gatewayWith(await toolBackend({ a: same }), [{ name: 'flow', steps: [call('a', 'a')] }])
    const result = await clientOf(gateway.url).flow('flow')
    expect(result).toMatchObject({ resultType: 'complete' })
    expect(statusesIn(result)).toEqual({ a: 'completed' })
    const { capabilities } = resultIn(await modernRequest(gateway.url, 1, 'server/discover'))
    expect(capabilities).toMatchObject({ extensions: { [EXTENSION]: {} } })
  })

  test('becomes a task when it takes long, and goes on without the request', async () => {
    const long = slow()
    const backend = await toolBackend({ a: long.tool, b: same })
    const steps = [call('a', 'a'), call('b', 'b', { dependsOn: ['a'] })]
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps }])
    const client = clientOf(gateway.url)
    const started = performance.now()
    const handle = await client.flow('flow')
    expect(performance.now() - started).toBeGreaterThan(AT_ONCE_MS - 50)
    expect(handle).toEqual({
      resultType: 'task',
      taskId: expect.any(String),
      status: 'working',
      createdAt: expect.stringMatching(/^\d{4}-.*Z$/),
      lastUpdatedAt: expect.stringMatching(/^\d{4}-.*Z$/),
      ttlMs: null,
      pollIntervalMs: expect.any(Number),
      _meta: expect.any(Object),
    })
    const { taskId } = handle as { taskId: string }
    expect(await client.get(taskId)).toEqual({ ...handle, resultType: 'complete', lastUpdatedAt: expect.any(String) })
    long.finish({ n: 1 })
    const task = await client.until(taskId, 'completed')
    expect(task).toMatchObject({
      resultType: 'complete',
      taskId,
      createdAt: handle['createdAt'],
      ttlMs: expect.any(Number),
      result: { resultType: 'complete', content: [{ type: 'text' }] },
    })
    expect(stepsOf(task)).toEqual({ a: 'completed', b: 'completed' })
    expect(backend.calls('b')).toHaveLength(1)
  })

  test('that fails is completed with a result that says so', async () => {
    const long = slow()
    const gateway = await gatewayWith(await toolBackend({ a: long.tool }), [{ name: 'flow', steps: [call('a', 'a')] }])
    const client = clientOf(gateway.url)
    const taskId = await handleOf(client, 'flow')
    long.finish({ isError: true, content: [{ type: 'text', text: 'broken' }] })
    const task = await client.until(taskId, 'completed')
    expect(task).toMatchObject({ result: { isError: true } })
    expect(JSON.stringify(task)).toContain('failed at step \\"a\\": broken')
  })

  test('asks in rounds before there is a task, and in the task afterwards', async () => {
    const long = slow()
    const steps = [
      approval('first'),
      call('a', 'a', { dependsOn: ['first'] }),
      approval('second', { dependsOn: ['a'] }),
      call('b', 'b', { dependsOn: ['second'] }),
    ]
    const backend = await toolBackend({ a: long.tool, b: same })
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps }])
    const client = clientOf(gateway.url)
    const round = await client.flow('flow')
    expect(round).toMatchObject({ resultType: 'input_required', requestState: expect.any(String) })
    const answers = { [keysOf(round)[0]!]: YES }
    const again = { requestState: round['requestState']!, inputResponses: answers }
    const handle = await client.flow('flow', again)
    expect(handle).toMatchObject({ resultType: 'task', status: 'working' })
    // The same request has the same task.
    expect(await client.flow('flow', again)).toMatchObject({ taskId: handle['taskId'] })
    const taskId = handle['taskId'] as string
    long.finish()
    const asking = await client.until(taskId, 'input_required')
    expect(Object.values(asking['inputRequests'] as JsonObject)).toMatchObject([
      { method: 'elicitation/create', params: { mode: 'form', message: 'second?' } },
    ])
    const [key = ''] = keysOf(asking)
    expect(await client.update(taskId, { [key]: { action: 'accept', content: { yes: 'perhaps' } } })).toMatchObject({
      error: { code: -32602, message: expect.stringContaining('does not fit its form') },
    })
    expect(await client.update(taskId, { [key]: YES, other: YES })).toMatchObject({
      result: { resultType: 'complete' },
    })
    // The first answer has won.
    expect(await client.update(taskId, { [key]: CANCEL })).toMatchObject({ result: { resultType: 'complete' } })
    expect(stepsOf(await client.until(taskId, 'completed'))).toMatchObject({ second: 'completed', b: 'completed' })
    expect(await client.update(taskId, {})).toMatchObject({ result: { resultType: 'complete' } })
    expect(await client.ask('tasks/update', { taskId })).toMatchObject({ error: { code: -32602 } })
  })

  test('takes answers one by one', async () => {
    const long = slow()
    const steps = [
      call('a', 'a'),
      approval('one', { dependsOn: ['a'] }),
      approval('two', { dependsOn: ['a'] }),
      call('b', 'b', { dependsOn: ['one'] }),
      call('c', 'c', { dependsOn: ['two'] }),
    ]
    const more = slow()
    const gateway = await gatewayWith(await toolBackend({ a: long.tool, b: more.tool, c: same }), [
      { name: 'flow', steps },
    ])
    const client = clientOf(gateway.url)
    const taskId = await handleOf(client, 'flow')
    long.finish()
    const asking = await client.until(taskId, 'input_required')
    const [one = '', two = ''] = keysOf(asking)
    await client.update(taskId, { [one]: YES })
    await more.started
    expect(await client.get(taskId)).toMatchObject({ status: 'working' })
    await client.update(taskId, { [two]: YES })
    more.finish()
    expect(stepsOf(await client.until(taskId, 'completed'))).toMatchObject({ b: 'completed', c: 'completed' })
  })

  test('is cancelled with all that goes on below it', async () => {
    const long = slow()
    const gateway = await gatewayWith(await toolBackend({ a: long.tool }), [{ name: 'flow', steps: [call('a', 'a')] }])
    const client = clientOf(gateway.url)
    const taskId = await handleOf(client, 'flow')
    expect(await client.cancel(taskId)).toMatchObject({ result: { resultType: 'complete' } })
    await long.cancelled
    const task = await client.get(taskId)
    expect(task).toMatchObject({ status: 'cancelled', statusMessage: expect.any(String) })
    expect(task).not.toHaveProperty('result')
    expect(await client.cancel(taskId)).toMatchObject({ result: { resultType: 'complete' } })
  })

  test('is cancelled by a client that leaves without its handle, and not by one that has it', async () => {
    const [one, two] = [slow(), slow()]
    const gateway = await gatewayWith(await toolBackend({ one: one.tool, two: two.tool }), [
      { name: 'first', steps: [call('a', 'one')] },
      { name: 'second', steps: [call('a', 'two')] },
    ])
    const client = clientOf(gateway.url)
    const leaving = client.start('tools/call', { name: 'first', arguments: {} })
    await one.started
    leaving.abort()
    await one.cancelled
    const staying = client.start('tools/call', { name: 'second', arguments: {} })
    const response = (await staying.response) as unknown as { result: { taskId: string } }
    staying.abort()
    two.finish()
    expect(await client.until(response.result.taskId, 'completed')).toMatchObject({ result: { content: [{}] } })
  })

  test('reports progress until the request is answered', async () => {
    const long = slow()
    const steps = [call('a', 'a'), call('b', 'b', { dependsOn: ['a'] }), call('c', 'a', { dependsOn: ['b'] })]
    const gateway = await gatewayWith(await toolBackend({ a: same, b: long.tool }), [{ name: 'flow', steps }])
    const client = clientOf(gateway.url)
    const exchange = client.start('tools/call', { name: 'flow', arguments: {} }, { progressToken: 7 })
    const response = (await exchange.response) as unknown as { result: { taskId: string } }
    long.finish()
    await client.until(response.result.taskId, 'completed')
    expect(exchange.messages).toMatchObject([
      { method: 'notifications/progress', params: { progressToken: 7, progress: 1, total: 3 } },
    ])
  })

  test('is told of on a listen stream', async () => {
    const long = slow()
    const steps = [call('a', 'a'), approval('sure', { dependsOn: ['a'] })]
    const gateway = await gatewayWith(await toolBackend({ a: long.tool }), [{ name: 'flow', steps }])
    const client = clientOf(gateway.url)
    const taskId = await handleOf(client, 'flow')
    const meta = { 'io.modelcontextprotocol/clientCapabilities': TASKS }
    const { messages, close } = await modernListen(gateway.url, 'l', { taskIds: [taskId, 'unknown'] }, meta)
    await waitFor(() => messages.length > 0)
    expect(messages[0]).toMatchObject({ params: { notifications: { taskIds: [taskId] } } })
    long.finish()
    await waitFor(() => messages.length > 1)
    const { resultType: _, _meta, ...asking } = await client.get(taskId)
    expect(messages[1]).toMatchObject({
      method: 'notifications/tasks',
      params: { ...asking, status: 'input_required', _meta: { 'io.modelcontextprotocol/subscriptionId': 'l' } },
    })
    await client.update(taskId, { [keysOf(asking)[0]!]: YES })
    await waitFor(
      () => messages.at(-1)?.['params'] && (messages.at(-1)!['params'] as JsonObject)['status'] === 'completed',
    )
    close()
    // Whoever comes late is told where it is.
    const late = await modernListen(gateway.url, 'm', { taskIds: [taskId] }, meta)
    await waitFor(() => late.messages.length > 1)
    expect(late.messages[1]).toMatchObject({ params: { taskId, status: 'completed', result: { content: [{}] } } })
    late.close()
  })

  test('goes on with what the latest request shows', async () => {
    const long = slow()
    const backend = await toolBackend({ a: long.tool, b: same })
    const steps = [call('a', 'a'), call('b', 'b', { dependsOn: ['a'] })]
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps }], { passthroughHeaders: ['X-Ticket'] })
    const taskId = await handleOf(clientOf(gateway.url, { 'x-ticket': 'old' }), 'flow')
    const client = clientOf(gateway.url, { 'x-ticket': 'new' })
    await client.get(taskId)
    long.finish()
    await client.until(taskId, 'completed')
    const shown = backend.requests.flatMap(({ method, headers }) =>
      method === 'tools/call' ? [headers['x-ticket']] : [],
    )
    expect(shown).toEqual(['old', 'new'])
  })

  test('ids mean nothing to those who do not know tasks', async () => {
    const gateway = await gatewayWith(await toolBackend({ a: slow().tool }), [
      { name: 'flow', steps: [call('a', 'a')] },
    ])
    const taskId = await handleOf(clientOf(gateway.url), 'flow')
    const plain = clientOf(gateway.url, {}, {})
    expect(await plain.ask('tasks/get', { taskId })).toMatchObject({ error: { code: -32021 } })
    const legacy = await legacyWire(gateway.url)
    expect((await legacy.request(1, 'tasks/get', { taskId })).response).toMatchObject(NO_TASK)
    expect((await legacy.request(2, 'tools/call', { name: 'flow', task: {} })).response).toMatchObject({
      error: { code: -32601 },
    })
    expect(await clientOf(gateway.url).ask('tasks/get', { taskId: 'made-up' })).toMatchObject(NO_TASK)
  })
})

describe('with a store that several gateways share', () => {
  const STEPS = [
    call('a', 'a', { idempotent: true }),
    approval('sure', { dependsOn: ['a'] }),
    call('b', 'b', { dependsOn: ['sure'] }),
  ]

  async function two(backend: ToolBackend, more: JsonObject = {}) {
    const stateFolder = folder()
    const start = () =>
      gatewayWith(
        backend,
        [{ name: 'flow', steps: STEPS }],
        { workflowStorage: { provider: 'file' }, ...more },
        { stateFolder },
      )
    return { one: await start(), start }
  }

  test('a run whose process has ended goes on with the next look of its owner', async () => {
    const [first, again] = [slow(), slow()]
    const tools = [first.tool, again.tool]
    const backend = await toolBackend({ a: (...given) => tools.shift()!(...given), b: same })
    const { one, start } = await two(backend)
    const taskId = await handleOf(clientOf(one.url), 'flow')
    await one.close()
    const client = clientOf((await start()).url)
    expect(await client.get(taskId)).toMatchObject({ taskId, status: 'working' })
    await again.started
    again.finish()
    const asking = await client.until(taskId, 'input_required')
    await client.update(taskId, { [keysOf(asking)[0]!]: YES })
    expect(stepsOf(await client.until(taskId, 'completed'))).toEqual({
      a: 'completed',
      sure: 'completed',
      b: 'completed',
    })
    expect(backend.calls('a')).toHaveLength(2)
  })

  test('it also goes on for an owner who listens', async () => {
    const [first, again] = [slow(), slow()]
    const tools = [first.tool, again.tool]
    const backend = await toolBackend({ a: (...given) => tools.shift()!(...given), b: same })
    const { one, start } = await two(backend)
    const taskId = await handleOf(clientOf(one.url), 'flow')
    await one.close()
    const meta = { 'io.modelcontextprotocol/clientCapabilities': TASKS }
    const { messages, close } = await modernListen((await start()).url, 'l', { taskIds: [taskId] }, meta)
    await again.started
    again.finish()
    await waitFor(() => messages.length > 1)
    expect(messages[1]).toMatchObject({ params: { taskId, status: 'input_required' } })
    close()
  })

  test('each may be asked, answered and listened to, and cancels it everywhere', async () => {
    const [long, last] = [slow(), slow()]
    const backend = await toolBackend({ a: long.tool, b: last.tool })
    const { one, start } = await two(backend)
    const other = await start()
    const [here, there] = [clientOf(one.url), clientOf(other.url)]
    const taskId = await handleOf(here, 'flow')
    expect(await there.get(taskId)).toMatchObject({ taskId, status: 'working' })
    const meta = { 'io.modelcontextprotocol/clientCapabilities': TASKS }
    const { messages, close } = await modernListen(other.url, 'l', { taskIds: [taskId] }, meta)
    await waitFor(() => messages.length > 0)
    long.finish()
    await waitFor(() => messages.length > 1)
    expect(messages[1]).toMatchObject({ params: { taskId, status: 'input_required' } })
    const asking = await here.until(taskId, 'input_required')
    const [key = ''] = keysOf(asking)
    const answers = await Promise.all([here.update(taskId, { [key]: YES }), there.update(taskId, { [key]: YES })])
    expect(answers).toMatchObject([{ result: {} }, { result: {} }])
    await last.started
    expect(backend.calls('b')).toHaveLength(1)
    await here.cancel(taskId)
    expect(await there.get(taskId)).toMatchObject({ status: 'cancelled' })
    await last.cancelled
    await waitFor(() => messages.some(({ params }) => (params as JsonObject)['status'] === 'cancelled'))
    close()
  })
})

describe('with users who show tokens', () => {
  const RESOURCE = 'https://mcp.example/mcp'
  let provider: RunningProvider
  beforeAll(async () => {
    provider = await startProvider()
    provider.resources.set(RESOURCE, { format: 'jwt', alg: 'RS256', scope: 'mcp' })
  })
  afterAll(() => provider.close())

  const auth = (...policies: string[]): JsonObject => ({
    publicUrl: RESOURCE,
    incomingAuth: {
      type: 'oidc',
      oidc: { issuer: provider.issuer, insecureAllowHttp: true, jwksAllowPrivateIp: true },
      ...(policies.length > 0 && { authz: { type: 'cedar', policies } }),
    },
  })

  const as = async (user: string, url: string): Promise<Client> =>
    clientOf(url, { authorization: `Bearer ${await provider.userToken(RESOURCE, user, 'mcp')}` })

  test('a task is that of its owner, whatever token it shows', async () => {
    const long = slow()
    const backend = await toolBackend({ a: long.tool })
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps: [call('a', 'a')] }], auth())
    const taskId = await handleOf(await as('alice', gateway.url), 'flow')
    const [again, bob] = [await as('alice', gateway.url), await as('bob', gateway.url)]
    expect(await again.get(taskId)).toMatchObject({ status: 'working' })
    for (const method of ['tasks/get', 'tasks/cancel']) expect(await bob.ask(method, { taskId })).toMatchObject(NO_TASK)
    expect(await bob.update(taskId, {})).toMatchObject(NO_TASK)
    long.finish()
    await again.until(taskId, 'completed')
  })

  test('who may no longer use the tool has no task of it, and may still end it', async () => {
    const long = slow()
    const backend = await toolBackend({ a: long.tool })
    const workflows = [{ name: 'flow', steps: [call('a', 'a')] }]
    const config = (...policies: string[]) => ({
      backends: [{ name: 'one', url: backend.url }],
      compositeTools: workflows,
      ...auth('permit(principal, action, resource);', ...policies),
    })
    const gateway = await gatewayWith(backend, workflows, auth('permit(principal, action, resource);'))
    const alice = await as('alice', gateway.url)
    const taskId = await handleOf(alice, 'flow')
    await gateway.reload(config('forbid(principal, action, resource == Tool::"flow");'))
    expect(await alice.ask('tasks/get', { taskId })).toMatchObject(NO_TASK)
    expect(await alice.cancel(taskId)).toMatchObject({ result: {} })
    await long.cancelled
  })
})
