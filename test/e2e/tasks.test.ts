import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { Client as Sdk2, StreamableHTTPClientTransport as Sdk2Http } from '@modelcontextprotocol/client'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { CallToolResult, Progress, Task } from '@modelcontextprotocol/sdk/types.js'
import {
  CallToolResultSchema,
  CreateMessageRequestSchema,
  CreateTaskResultSchema,
  ElicitRequestSchema,
  GetTaskResultSchema,
  TaskStatusNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { afterEach, describe, expect, test } from 'vitest'
import { isObject, type JsonObject } from '../../src/model/json.ts'
import type { TestGateway } from '../support/gateway.ts'
import { startGateway } from '../support/gateway.ts'
import type { HttpBackend } from '../support/http-backend.ts'
import { startHttpBackend } from '../support/http-backend.ts'
import { waitFor } from '../support/processes.ts'
import { MODERN } from '../support/script.ts'
import { legacyWire, modernListen, modernRequest, paramsOf, resultOf } from '../support/wire.ts'

const require = createRequire(import.meta.url)
const SDK_SERVER = require.resolve('@modelcontextprotocol/sdk/server/index.js')
const INTERACTIVE = join(dirname(SDK_SERVER), '../../esm/examples/server/simpleTaskInteractive.js')
const EVERYTHING = join(
  dirname(require.resolve('@modelcontextprotocol/server-everything/package.json')),
  'dist/index.js',
)
const RELATED = 'io.modelcontextprotocol/related-task'
const EXTENSION = 'io.modelcontextprotocol/tasks'
const KNOWS_TASKS: JsonObject = {
  'io.modelcontextprotocol/clientCapabilities': { extensions: { [EXTENSION]: {} } },
}

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

async function gatewayOf(backends: JsonObject[], more: JsonObject = {}): Promise<TestGateway> {
  const gateway = await startGateway({ backends, aggregation: { onlyOnConflict: true }, ...more })
  open.push(() => gateway.close())
  return gateway
}

/** The SDK's own example of tasks that ask, in a process of its own. */
async function interactive(): Promise<JsonObject> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  const child = spawn(process.execPath, [INTERACTIVE], { env: { ...process.env, PORT: String(port) } })
  open.push(() => child.kill())
  await once(child.stdout, 'data')
  return { name: 'interactive', url: `http://127.0.0.1:${port}/mcp` }
}

const everything = (): JsonObject => ({ name: 'everything', command: process.execPath, args: [EVERYTHING, 'stdio'] })

interface Person {
  client: Client
  /** Tasks that questions were about. */
  about: unknown[]
  statuses: Task[]
}

/** SDK v1, with a user who agrees to everything. */
async function person(url: string): Promise<Person> {
  const client = new Client({ name: 'test', version: '1' }, { capabilities: { elicitation: {}, sampling: {} } })
  const about: unknown[] = []
  const statuses: Task[] = []
  client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
    about.push(params._meta?.[RELATED]?.taskId)
    return { action: 'accept', content: { confirm: true, interpretation: 'technical' } }
  })
  client.setRequestHandler(CreateMessageRequestSchema, ({ params }) => {
    about.push(params._meta?.[RELATED]?.taskId)
    return { model: 'm', role: 'assistant', content: { type: 'text', text: 'five seven five' } }
  })
  client.setNotificationHandler(TaskStatusNotificationSchema, ({ params }) => void statuses.push(params))
  await client.connect(new StreamableHTTPClientTransport(new URL(url)))
  open.push(() => client.close())
  return { client, about, statuses }
}

const text = (result: unknown): string =>
  (result as CallToolResult).content.map((block) => JSON.stringify(block)).join()

describe('the example server of SDK v1', () => {
  test('a tool runs as a task that asks its user, under one id', async () => {
    const { url } = await gatewayOf([await interactive()])
    const { client, about } = await person(url)
    await client.listTools()
    const said: string[] = []
    let taskId = ''
    const params = { name: 'confirm_delete', arguments: { filename: 'a.txt' } }
    for await (const message of client.experimental.tasks.callToolStream(params, CallToolResultSchema, { task: {} })) {
      said.push(message.type)
      if (message.type === 'taskCreated') ({ taskId } = message.task)
      if (message.type === 'taskStatus') expect(message.task.taskId).toBe(taskId)
      if (message.type === 'result') {
        expect(text(message.result)).toContain('Deleted')
        expect(message.result._meta?.[RELATED]).toEqual({ taskId })
      }
      if (message.type === 'error') throw message.error
    }
    expect(said[0]).toBe('taskCreated')
    expect(said.at(-1)).toBe('result')
    expect(about).toEqual([taskId])
  })

  test.each([
    ['confirm_delete', { filename: 'a.txt' }, 'Deleted'],
    ['write_haiku', { topic: 'gates' }, 'five seven five'],
  ])('%s is run to its end for a client that calls it plainly', async (name, args, expected) => {
    const { url } = await gatewayOf([await interactive()])
    const { client, about } = await person(url)
    const result = await client.callTool({ name, arguments: args })
    expect(text(result)).toContain(expected)
    expect(result._meta?.[RELATED]).toBeUndefined()
    // It knows of no task.
    expect(about).toEqual([undefined])
  })

  test('a modern client gets the question in a round', async () => {
    const { url } = await gatewayOf([await interactive()])
    const client = new Sdk2(
      { name: 'test', version: '1' },
      { capabilities: { elicitation: {} }, versionNegotiation: { mode: { pin: MODERN } } },
    )
    client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { confirm: true } }))
    await client.connect(new Sdk2Http(new URL(url)))
    open.push(() => client.close())
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name)).toContain('confirm_delete')
    expect(JSON.stringify(tools)).not.toContain('taskSupport')
    const result = await client.callTool({ name: 'confirm_delete', arguments: { filename: 'a.txt' } })
    expect(text(result)).toContain('Deleted')
  })
})

describe('server-everything over stdio', () => {
  test('a task is listed, told of, and cancelled', async () => {
    const { url } = await gatewayOf([everything()])
    const { client, statuses } = await person(url)
    const create = {
      method: 'tools/call' as const,
      params: { name: 'simulate-research-query', arguments: { topic: 'x' } },
    }
    const { task } = await client.request(create, CreateTaskResultSchema, { task: { ttl: 60_000 } })
    await waitFor(() => statuses.length > 0)
    const { tasks } = await client.experimental.tasks.listTasks()
    expect(tasks.map(({ taskId }) => taskId)).toEqual([task.taskId])
    const other = await person(url)
    expect((await other.client.experimental.tasks.listTasks()).tasks).toEqual([])
    expect(await client.experimental.tasks.cancelTask(task.taskId)).toMatchObject({
      taskId: task.taskId,
      status: 'cancelled',
    })
    expect(new Set(statuses.map(({ taskId }) => taskId))).toEqual(new Set([task.taskId]))
    expect(other.statuses).toEqual([])
  })

  test('a plain call is run to its end, with progress and the question of an ambiguous query', async () => {
    const { url } = await gatewayOf([everything()])
    const { client, about } = await person(url)
    const progress: Progress[] = []
    const params = { name: 'simulate-research-query', arguments: { topic: 'python', ambiguous: true } }
    const result = await client.callTool(params, undefined, { onprogress: (step) => void progress.push(step) })
    expect(text(result)).toContain('Research Report')
    expect(text(result)).toContain('technical')
    expect(about).toEqual([undefined])
    expect(progress.length).toBeGreaterThan(0)
    expect(progress.map(({ progress: count }) => count)).toEqual(progress.map((_, index) => index + 1))
  })
})

/** A legacy server whose one tool is a task that the test ends. */
interface Job {
  backend: HttpBackend
  gateway: TestGateway
  /** Ends the task. */
  finish: (status: 'completed' | 'failed') => void
  /** The task needs its user. */
  asks: () => void
  /** Params of the requests that the server got, by method. */
  got: (method: string) => JsonObject[]
}

const ID = 'native-task-1'

async function job(more: JsonObject = {}, taskSupport = 'required'): Promise<Job> {
  let task: JsonObject = {
    taskId: ID,
    status: 'working',
    createdAt: 'c',
    lastUpdatedAt: 'l',
    ttl: null,
    pollInterval: 50,
  }
  let ended = (): void => {}
  const end = new Promise<void>((resolve) => (ended = resolve))
  const backend = await startHttpBackend({
    name: 'jobs',
    era: 'legacy',
    tools: [{ name: 'job', inputSchema: { type: 'object' }, execution: { taskSupport } }],
    capabilities: { tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } },
    methods: {
      'tools/call': ({ params }) => (params['task'] ? { task } : { content: [{ type: 'text', text: 'at once' }] }),
      'tasks/get': () => task,
      'tasks/list': () => ({ tasks: [task] }),
      'tasks/cancel': () => {
        task = { ...task, status: 'cancelled' }
        return task
      },
      'tasks/result': async () => {
        await end
        return { content: [{ type: 'text', text: 'done' }], _meta: { [RELATED]: { taskId: ID } } }
      },
    },
  })
  open.push(() => backend.close())
  const gateway = await gatewayOf([{ name: 'jobs', url: backend.url }], more)
  return {
    backend,
    gateway,
    finish(status) {
      task = { ...task, status }
      ended()
    },
    asks() {
      task = { ...task, status: 'input_required' }
    },
    got: (method) =>
      backend.requests.filter((request) => request.method === method).map(({ body }) => body?.['params'] as JsonObject),
  }
}

describe('core tasks', () => {
  test('tasks/result waits longer than any silence may last', async () => {
    const { gateway, finish, got } = await job({ operational: { timeouts: { default: '200ms' } } })
    const client = await legacyWire(gateway.url)
    const created = resultOf(await client.request(1, 'tools/call', { name: 'job', task: {} }))
    const { taskId } = created['task'] as JsonObject
    expect(taskId).not.toBe(ID)
    const waiting = client.request(2, 'tasks/result', { taskId: taskId as string })
    await sleep(600)
    finish('completed')
    expect(resultOf(await waiting)).toMatchObject({ _meta: { [RELATED]: { taskId } } })
    expect(got('tasks/result')[0]).toMatchObject({ taskId: ID })
  })

  test('what is inside the gateway is cancelled with the call, and by its cap', async () => {
    const { gateway, got } = await job({ operational: { timeouts: { max: '1s' } } })
    const client = await legacyWire(gateway.url)
    const running = client.request(1, 'tools/call', { name: 'job' })
    await waitFor(() => got('tasks/get').length > 0)
    expect(got('tools/call')[0]).toMatchObject({ name: 'job', task: { ttl: 1000 } })
    await client.notify('notifications/cancelled', { requestId: 1 })
    await running
    await waitFor(() => got('tasks/cancel').length === 1)
    expect(got('tasks/cancel')[0]).toMatchObject({ taskId: ID })
    const second = await job({ operational: { timeouts: { max: '1s' } } })
    const late = resultOf(await (await legacyWire(second.gateway.url)).request(1, 'tools/call', { name: 'job' }))
    expect(late).toMatchObject({ isError: true })
    expect(JSON.stringify(late)).toContain('operational.timeouts.max')
    await waitFor(() => second.got('tasks/cancel').length === 1)
  })

  test('a task inside the gateway is in nobody’s list, and outlives the silence that its waiting is', async () => {
    const { gateway, finish, got } = await job({ operational: { timeouts: { default: '300ms' } } })
    const client = await legacyWire(gateway.url)
    const running = client.request(1, 'tools/call', { name: 'job' })
    await waitFor(() => got('tasks/get').length > 10)
    expect(resultOf(await client.request(2, 'tasks/list'))).toEqual({ tasks: [] })
    finish('completed')
    expect(resultOf(await running)).toEqual({ content: [{ type: 'text', text: 'done' }] })
  })

  test('a tool that may run without a task does, for whoever asks for none', async () => {
    const { gateway, got } = await job({}, 'optional')
    expect(
      resultOf(await modernRequest(gateway.url, 1, 'tools/call', { name: 'job', task: { ttl: 1 } })),
    ).toMatchObject({
      content: [{ text: 'at once' }],
    })
    expect(got('tools/call')[0]).not.toHaveProperty('task')
    expect(got('tasks/get')).toEqual([])
  })

  test('ids that are unknown, tampered with, native or of the other era are answered alike', async () => {
    const { gateway } = await job()
    const client = await legacyWire(gateway.url)
    const created = resultOf(await client.request(1, 'tools/call', { name: 'job', task: {} }))
    const known = (created['task'] as JsonObject)['taskId'] as string
    const ids = [ID, '', `${known}A`, known.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))]
    const errors = []
    for (const taskId of ids) errors.push((await client.request(1, 'tasks/get', { taskId })).response?.['error'])
    const modern = await modernRequest(gateway.url, 1, 'tasks/get', { taskId: known, _meta: KNOWS_TASKS })
    errors.push(modern.response?.['error'])
    for (const error of errors) expect(error).toEqual({ code: -32602, message: expect.stringContaining('not found') })
  })

  test('an id outlives a reload, and the backend that it names', async () => {
    const { gateway, backend } = await job()
    const client = await legacyWire(gateway.url)
    const created = resultOf(await client.request(1, 'tools/call', { name: 'job', task: {} }))
    const { taskId } = created['task'] as { taskId: string }
    await gateway.reload({ backends: [{ name: 'jobs', url: backend.url }], aggregation: { onlyOnConflict: false } })
    expect(resultOf(await client.request(2, 'tasks/get', { taskId }))).toMatchObject({ taskId, status: 'working' })
    await gateway.reload({ backends: [] })
    expect((await client.request(3, 'tasks/get', { taskId })).response).toMatchObject({ error: { code: -32602 } })
  })

  test('progress reaches the client after the request was answered', async () => {
    const { gateway, backend, got } = await job()
    const { client } = await person(gateway.url)
    const progress: Progress[] = []
    const create = { method: 'tools/call' as const, params: { name: 'job' } }
    await client.request(create, CreateTaskResultSchema, { task: {}, onprogress: (step) => void progress.push(step) })
    const { progressToken: token } = paramsOf({ params: got('tools/call')[0]?.['_meta'] }) as { progressToken: string }
    expect(token).toBeTypeOf('string')
    await waitFor(() => backend.streams() > 1)
    backend.tell('notifications/progress', { progressToken: token, progress: 3, total: 4 })
    await waitFor(() => progress.length > 0)
    expect(progress).toEqual([{ progress: 3, total: 4 }])
  })

  test('a call that waits for its task is not silent, also for a modern client that has answered a question', async () => {
    const { gateway, backend, finish, asks } = await job({ operational: { timeouts: { default: '300ms' } } })
    const elicits = { 'io.modelcontextprotocol/clientCapabilities': { elicitation: {} } }
    const params = { name: 'job', _meta: elicits }
    const first = modernRequest(gateway.url, 1, 'tools/call', params)
    asks()
    await waitFor(() => backend.count('tasks/result') === 1)
    const schema = { type: 'object', properties: {} }
    const question = { message: 'sure?', requestedSchema: schema, _meta: { [RELATED]: { taskId: ID } } }
    void backend.ask('elicitation/create', question)
    const { inputRequests, requestState } = resultOf(await first)
    const [[key, { params: shown }]] = Object.entries(inputRequests as Record<string, { params: JsonObject }>) as [
      [string, { params: JsonObject }],
    ]
    expect(shown).toEqual({ message: 'sure?', requestedSchema: schema })
    const inputResponses = { [key]: { action: 'accept', content: {} } }
    const second = modernRequest(gateway.url, 2, 'tools/call', { ...params, inputResponses, requestState })
    await waitFor(() => backend.requests.some(({ body }) => isObject(body?.['result'])))
    await sleep(900)
    finish('completed')
    expect(resultOf(await second)).toMatchObject({ content: [{ text: 'done' }] })
  })

  test('the state of a task that a client runs for a server is told to that server alone', async () => {
    const [one, two] = [await job(), await job()]
    const gateway = await gatewayOf([
      { name: 'one', url: one.backend.url },
      { name: 'two', url: two.backend.url },
    ])
    const client = await legacyWire(gateway.url, {
      sampling: {},
      tasks: { requests: { sampling: { createMessage: {} } } },
    })
    const stream = await client.listen()
    for (const name of ['one_job', 'two_job']) await client.request(name, 'tools/call', { name, task: {} })
    await waitFor(() => one.backend.streams() > 1)
    void one.backend.ask('sampling/createMessage', { messages: [], maxTokens: 1, task: {} })
    await waitFor(() => stream.messages.some(({ method }) => method === 'sampling/createMessage'))
    const { id } = stream.messages.find(({ method }) => method === 'sampling/createMessage') as { id: number }
    await client.answer(id, { task: { taskId: 'of the client', status: 'working' } })
    const told = { task: { taskId: 'of the client', status: 'working' } }
    await waitFor(() => one.backend.requests.some(({ body }) => isDeepStrictEqual(body?.['result'], told)))
    await client.notify('notifications/tasks/status', { taskId: 'of the client', status: 'completed' })
    await waitFor(() => one.got('notifications/tasks/status').length === 1)
    await client.notify('notifications/tasks/status', { taskId: 'of nobody', status: 'completed' })
    await client.request('last', 'tools/call', { name: 'two_job', task: {} })
    expect(one.got('notifications/tasks/status')).toEqual([{ taskId: 'of the client', status: 'completed' }])
    expect(two.got('notifications/tasks/status')).toEqual([])
    stream.close()
  })

  test('only clients of 2025-11-25 have them', async () => {
    const { gateway } = await job()
    const hello = async (protocolVersion: string) => {
      const params = { protocolVersion, capabilities: {}, clientInfo: { name: 'x', version: '1' } }
      const response = await fetch(gateway.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params }),
      })
      const { result } = JSON.parse((await response.text()).replace(/^.*?data: /s, '')) as { result: JsonObject }
      return { result, session: response.headers.get('mcp-session-id') ?? '' }
    }
    expect((await hello('2025-11-25')).result['capabilities']).toMatchObject({
      tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } },
    })
    const older = await hello('2025-06-18')
    expect(older.result['capabilities']).not.toHaveProperty('tasks')
    const response = await fetch(gateway.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-session-id': older.session,
        'mcp-protocol-version': '2025-06-18',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tasks/list' }),
    })
    expect(await response.json()).toMatchObject({ error: { code: -32601 } })
  })
})

describe('the tasks extension', () => {
  /** A modern server that answers every call with a task, whoever asks. */
  async function extension() {
    const task = { taskId: ID, status: 'working', createdAt: 'c', lastUpdatedAt: 'l', ttlMs: null, pollIntervalMs: 50 }
    const backend = await startHttpBackend({
      name: 'jobs',
      era: 'modern',
      tools: [{ name: 'job', inputSchema: { type: 'object' } }],
      capabilities: { extensions: { [EXTENSION]: {} } },
      methods: {
        'tools/call': () => ({ resultType: 'task', ...task }),
        'tasks/get': () => ({ ...task, status: 'input_required', inputRequests: { q: { method: 'roots/list' } } }),
        'tasks/update': () => ({}),
        'tasks/cancel': () => ({}),
      },
    })
    open.push(() => backend.close())
    const gateway = await gatewayOf([{ name: 'jobs', url: backend.url }])
    const ask = (method: string, params: JsonObject) =>
      modernRequest(gateway.url, 1, method, { ...params, _meta: KNOWS_TASKS })
    const create = async () => resultOf(await ask('tools/call', { name: 'job' }))['taskId'] as string
    return { backend, gateway, ask, create }
  }

  test('a task is asked about under its sealed id, upstream under its own, in header and body', async () => {
    const { backend, ask, create } = await extension()
    const taskId = await create()
    expect(taskId).not.toContain(ID)
    expect(resultOf(await ask('tasks/get', { taskId }))).toMatchObject({
      resultType: 'complete',
      taskId,
      inputRequests: { q: { method: 'roots/list' } },
    })
    const inputResponses = { q: { roots: [] } }
    expect(resultOf(await ask('tasks/update', { taskId, inputResponses }))).toMatchObject({ resultType: 'complete' })
    expect(resultOf(await ask('tasks/cancel', { taskId }))).toMatchObject({ resultType: 'complete' })
    const upstream = backend.requests.filter(({ method }) => method?.startsWith('tasks/'))
    expect(upstream.map(({ headers }) => headers['mcp-name'])).toEqual([ID, ID, ID])
    expect(upstream.map(({ body }) => paramsOf(body)['taskId'])).toEqual([ID, ID, ID])
    expect(upstream[1]?.body).toMatchObject({ params: { inputResponses } })
  })

  test('who has not declared it gets no task, and may not ask about one', async () => {
    const { gateway, create } = await extension()
    const taskId = await create()
    const called = await modernRequest(gateway.url, 1, 'tools/call', { name: 'job' })
    expect(resultOf(called)).toMatchObject({ isError: true, resultType: 'complete' })
    const asked = await modernRequest(gateway.url, 2, 'tasks/get', { taskId })
    expect(asked.status).toBe(400)
    expect(asked.response).toMatchObject({
      error: { code: -32021, data: { requiredCapabilities: { extensions: { [EXTENSION]: {} } } } },
    })
    const listened = await modernRequest(gateway.url, 3, 'subscriptions/listen', {
      notifications: { taskIds: [taskId] },
    })
    expect(listened.response).toMatchObject({ error: { code: -32021 } })
    const legacy = await legacyWire(gateway.url)
    expect(resultOf(await legacy.request(1, 'tools/call', { name: 'job' }))).toMatchObject({ isError: true })
    expect((await legacy.request(2, 'tools/call', { name: 'job', task: {} })).response).toMatchObject({
      error: { code: -32601 },
    })
    expect((await legacy.request(3, 'tasks/get', { taskId })).response).toMatchObject({ error: { code: -32602 } })
  })

  test('the header must agree with the body', async () => {
    const { gateway, create } = await extension()
    const taskId = await create()
    const mismatch = await fetch(gateway.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': MODERN,
        'mcp-method': 'tasks/get',
        'mcp-name': 'another',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tasks/get',
        params: { taskId, _meta: { 'io.modelcontextprotocol/protocolVersion': MODERN, ...KNOWS_TASKS } },
      }),
    })
    expect(mismatch.status).toBe(400)
    expect(await mismatch.json()).toMatchObject({ error: { code: -32020 } })
  })

  test('its state is told on a listen stream, again after a gap, until the client leaves', async () => {
    const { backend, gateway, create } = await extension()
    const taskId = await create()
    const before = backend.streams()
    const client = await modernListen(gateway.url, 'l', { taskIds: [taskId, 'unknown'] }, KNOWS_TASKS)
    await waitFor(() => client.messages.length > 0)
    expect(client.messages[0]).toMatchObject({ params: { notifications: { taskIds: [taskId] } } })
    backend.tell('notifications/tasks', { taskId: ID, status: 'working' })
    backend.tell('notifications/tasks', { taskId: 'of somebody else', status: 'working' })
    await waitFor(() => client.messages.length > 1)
    expect(client.messages[1]).toMatchObject({
      method: 'notifications/tasks',
      params: { taskId, status: 'working', _meta: { 'io.modelcontextprotocol/subscriptionId': 'l' } },
    })
    backend.killConnections()
    await waitFor(() => client.messages.length > 2)
    expect(client.messages[2]).toMatchObject({ params: { taskId, status: 'input_required' } })
    client.close()
    await waitFor(() => backend.streams() === before)
    expect(client.messages).toHaveLength(3)
  })

  test('it is offered to modern clients and not to legacy ones', async () => {
    const { gateway } = await extension()
    const { capabilities } = resultOf(await modernRequest(gateway.url, 1, 'server/discover'))
    expect(capabilities).toMatchObject({ extensions: { [EXTENSION]: {} } })
    expect(capabilities).not.toHaveProperty('tasks')
    const { client } = await person(gateway.url)
    expect(client.getServerCapabilities()).not.toHaveProperty('extensions')
  })
})

test('GetTaskResult of the SDK takes what the gateway shows', async () => {
  const { gateway } = await job()
  const { client } = await person(gateway.url)
  const { task } = await client.request({ method: 'tools/call', params: { name: 'job' } }, CreateTaskResultSchema, {
    task: {},
  })
  const { taskId } = task
  expect(await client.request({ method: 'tasks/get', params: { taskId } }, GetTaskResultSchema)).toMatchObject({
    taskId,
  })
})
