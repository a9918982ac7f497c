import { setTimeout as sleep } from 'node:timers/promises'

import { expect } from 'vitest'

import type { JsonObject } from '../../src/model/json.ts'
import { META } from '../support/script.ts'
import { waitFor } from '../support/processes.ts'
import { CONTENT, ROOTS, SAMPLED, type MatrixClient } from './peers/clients.ts'
import {
  FORM,
  LEVELS,
  LINK,
  LINK_ID,
  LOGGER,
  PROMPTS,
  SAMPLING,
  STEPS,
  TOOLS,
  contentsOf,
  greeting,
  lineAt,
  resourcesOf,
  skillOf,
  templatesOf,
  text,
  vendorMethodOf,
  type ToolName,
} from './peers/offer.ts'
import type { FeatureName, LegKind } from './requirements/features.ts'
import { backendName } from './setup.ts'

/** What is on its way because of what was done has arrived after this. */
const SETTLED_MS = 60

let keys = 0
/** Never twice in one process of a backend. */
const newKey = () => `key-${process.pid}-${++keys}`

/** One client before one backend. */
class Cell {
  readonly client: MatrixClient
  readonly backend: LegKind
  readonly name: string

  constructor(client: MatrixClient, backend: LegKind, name: string) {
    this.client = client
    this.backend = backend
    this.name = name
  }

  call(tool: ToolName, args: JsonObject = {}, options: Parameters<MatrixClient['call']>[2] = {}): Promise<unknown> {
    return this.client.call(`${this.name}_${tool}`, args, options)
  }

  async recall(key = ''): Promise<{ started: number; cancelled: number; rootsChanged: number }> {
    return (await this.call('recall', { key })) as { started: number; cancelled: number; rootsChanged: number }
  }
}

export async function checkFeature(
  feature: FeatureName,
  client: MatrixClient,
  backend: LegKind,
  name = backendName(backend),
): Promise<void> {
  client.reset()
  await CHECKS[feature](new Cell(client, backend, name))
}

const CHECKS: Record<FeatureName, (cell: Cell) => Promise<void>> = {
  async tools(cell) {
    const listed = await cell.client.tools()
    for (const { name } of TOOLS) expect(listed).toContain(`${cell.name}_${name}`)
    const args = { key: 'ünï\u2028', zero: 0, none: null, deep: [{ a: '' }] }
    expect(await cell.call('echo', args)).toEqual(args)
  },

  async resources({ client, name }) {
    const { resources } = await client.request('resources/list')
    for (const resource of resourcesOf(name)) expect(resources).toContainEqual(resource)
    const { resourceTemplates } = await client.request('resources/templates/list')
    for (const template of templatesOf(name)) expect(resourceTemplates).toContainEqual(template)
    for (const uri of [`matrix://${name}/one`, `matrix://${name}/of-a-template`]) {
      expect(await client.request('resources/read', { uri })).toMatchObject(contentsOf(uri))
    }
  },

  async prompts({ client, name }) {
    const { prompts } = await client.request('prompts/list')
    for (const prompt of PROMPTS) expect(prompts).toContainEqual({ ...prompt, name: `${name}_${prompt.name}` })
    const got = await client.request('prompts/get', { name: `${name}_greet`, arguments: { who: 'Ada' } })
    expect(got).toMatchObject(greeting('Ada'))
  },

  async completion({ client, name }) {
    const rest = { argument: { name: 'id', value: 'a' }, context: { arguments: { other: 'x' } } }
    const template = { type: 'ref/resource', uri: templatesOf(name)[0]!.uriTemplate }
    const prompt = { type: 'ref/prompt', name: 'greet' }
    for (const [shown, ref] of [
      [template, template],
      [{ ...prompt, name: `${name}_greet` }, prompt],
    ] as const) {
      const { completion } = await client.request('completion/complete', { ref: shown, ...rest })
      const [said] = (completion as { values: string[] }).values
      expect(JSON.parse(said!)).toEqual({ ref, ...rest })
    }
  },

  async 'elicitation-form'(cell) {
    expect(await cell.call('ask-form')).toEqual({ action: 'accept', content: CONTENT })
    expect(cell.client.asked).toEqual([{ method: 'elicitation/create', params: { mode: 'form', ...FORM } }])
  },

  async 'elicitation-decline'(cell) {
    for (const action of ['decline', 'cancel']) {
      cell.client.answers['elicitation/create'] = () => ({ action })
      expect(await cell.call('ask-form')).toEqual({ action })
    }
    expect(cell.client.asked).toHaveLength(2)
  },

  async 'elicitation-url'(cell) {
    const { client, backend } = cell
    expect(await cell.call('ask-url')).toEqual({ action: 'accept' })
    const [asked] = client.asked
    expect(client.asked).toHaveLength(1)
    expect(asked?.params).toMatchObject({ mode: 'url', ...LINK })
    const id = asked?.params['elicitationId']
    if (client.era === 'modern') expect(id).toBeUndefined()
    else if (backend.era === 'legacy') expect(id).toBe(LINK_ID)
    else expect(id).toMatch(/.{8}/)
  },

  async 'elicitation-required'(cell) {
    const key = newKey()
    if (cell.client.era === 'modern') {
      expect(await cell.call('need-url', { key })).toBe('connected')
      expect(cell.client.asked).toEqual([{ method: 'elicitation/create', params: { mode: 'url', ...LINK } }])
      return
    }
    await expect(cell.call('need-url', { key })).rejects.toMatchObject({ code: -32042 })
    const { error } = cell.client.received.at(-1) as { error: JsonObject }
    expect(error['data']).toEqual({ elicitations: [{ mode: 'url', ...LINK, elicitationId: LINK_ID }] })
    expect(await cell.call('need-url', { key })).toBe('connected')
    expect(cell.client.asked).toEqual([])
  },

  async sampling(cell) {
    expect(await cell.call('sample')).toEqual(SAMPLED)
    expect(cell.client.asked).toEqual([{ method: 'sampling/createMessage', params: SAMPLING }])
  },

  async roots(cell) {
    expect(await cell.call('list-roots')).toEqual({ roots: ROOTS })
    expect(cell.client.asked).toMatchObject([{ method: 'roots/list' }])
  },

  async 'roots-changed'(cell) {
    const { rootsChanged } = await cell.recall()
    await cell.client.client.sendRootsListChanged()
    await waitFor(async () => (await cell.recall()).rootsChanged > rootsChanged, 3000, 'the notification')
    await sleep(SETTLED_MS)
    expect((await cell.recall()).rootsChanged).toBe(rootsChanged + 1)
  },

  async progress(cell) {
    const { client } = cell
    // The SDKs lose progress that arrives together with the result: what counts is the wire.
    expect(await cell.call('progress', {}, { onprogress: () => {} })).toBe('told')
    const kinds = client.received.map((message) => message['method'] ?? 'result')
    expect(kinds).toEqual([...STEPS.map(() => 'notifications/progress'), 'result'])
    const progressToken = client.received.at(-1)?.['id']
    const expected = STEPS.map((step) => ({ progressToken, ...step }))
    expect(client.heard('notifications/progress')).toEqual(expected)
    client.reset()
    expect(await cell.call('progress')).toBe('untold')
    expect(client.heard('notifications/progress')).toEqual([])
  },

  async logging(cell) {
    for (const [index, logLevel] of LEVELS.entries()) {
      cell.client.reset()
      await cell.call('log', {}, { logLevel })
      expect(cell.client.heard('notifications/message')).toEqual(linesOf(cell, LEVELS.slice(index)))
    }
    cell.client.reset()
    await cell.call('log')
    await sleep(SETTLED_MS)
    expect(cell.client.heard('notifications/message')).toEqual([])
  },

  async 'logging-session'(cell) {
    for (const level of ['debug', 'error', 'info'] as const) {
      await cell.client.client.setLoggingLevel(level)
      cell.client.reset()
      await cell.call('log')
      const expected = linesOf(cell, LEVELS.slice(LEVELS.indexOf(level)))
      await waitFor(() => cell.client.heard('notifications/message').length >= expected.length, 3000, 'the lines')
      await sleep(SETTLED_MS)
      expect(cell.client.heard('notifications/message')).toEqual(expected)
    }
  },

  async cancellation(cell) {
    const [key, other] = [newKey(), newKey()]
    const [abort, abortOther] = [new AbortController(), new AbortController()]
    const call = cell.call('wait', { key }, { signal: abort.signal })
    const otherCall = cell.call('wait', { key: other }, { signal: abortOther.signal })
    const rejected = [expect(call).rejects.toThrow(), expect(otherCall).rejects.toThrow()]
    await waitFor(async () => (await cell.recall(key)).started === 1, 3000, 'the start of the call')
    await waitFor(async () => (await cell.recall(other)).started === 1, 3000, 'the start of the other call')
    abort.abort()
    await waitFor(async () => (await cell.recall(key)).cancelled === 1, 3000, 'the cancellation at the backend')
    expect(await cell.recall(other)).toMatchObject({ started: 1, cancelled: 0 })
    abortOther.abort()
    await waitFor(async () => (await cell.recall(other)).cancelled === 1, 3000, 'the other cancellation')
    await Promise.all(rejected)
  },

  async subscription(cell) {
    const { client } = cell
    const [one, two] = ['one', 'two'].map((name) => `matrix://${cell.name}/${name}`)
    const updates = () => client.heard('notifications/resources/updated')
    const unsubscribe = await client.subscribe(one!)
    client.reset()
    await cell.call('touch', { uri: two! })
    await cell.call('touch', { uri: one! })
    await waitFor(() => updates().length > 0, 3000, 'the update')
    await sleep(SETTLED_MS)
    expect(updates()).toHaveLength(1)
    const [{ _meta, ...update } = {}] = updates()
    expect(update).toEqual({ uri: one })
    if (client.era === 'modern') expect(_meta).toHaveProperty([META.subscription])
    else expect(_meta).toBeUndefined()
    await unsubscribe()
    client.reset()
    await cell.call('touch', { uri: one! })
    await sleep(SETTLED_MS)
    expect(updates()).toEqual([])
  },

  async 'list-changed'(cell) {
    const { client } = cell
    const key = newKey()
    const shown = `${cell.name}_${key}`
    expect(await client.tools()).not.toContain(shown)
    const stop = await client.watchTools()
    client.reset()
    await cell.call('change', { key })
    // One that an earlier change caused may come first: each says that the list is to be looked at again.
    let tools: string[] = []
    while (!tools.includes(shown)) {
      await waitFor(() => client.heard('notifications/tools/list_changed').length > 0, 3000, 'the notification')
      client.reset()
      tools = await client.tools()
    }
    await stop()
  },

  async 'core-tasks'({ client, name }) {
    const begin = async (key: string) => {
      const { task } = await client.request('tools/call', { name: `${name}_labour`, arguments: { key }, task: {} })
      expect(task).toMatchObject({ status: 'working', ttl: 60_000 })
      const { taskId } = task as { taskId: string }
      expect(taskId).not.toContain('labour')
      return taskId
    }
    const [taskId, endless] = [await begin(newKey()), await begin('endless')]
    expect(await client.request('tasks/get', { taskId })).toMatchObject({ taskId, status: 'completed' })
    expect(await client.request('tasks/result', { taskId })).toEqual({
      ...text('laboured'),
      _meta: { 'io.modelcontextprotocol/related-task': { taskId } },
    })
    const { tasks } = await client.request('tasks/list')
    expect(tasks).toMatchObject(
      expect.arrayContaining([expect.objectContaining({ taskId }), expect.objectContaining({ taskId: endless })]),
    )
    const cancelled = { taskId: endless, status: 'cancelled' }
    expect(await client.request('tasks/cancel', { taskId: endless })).toMatchObject(cancelled)
    expect(await client.request('tasks/get', { taskId: endless })).toMatchObject(cancelled)
  },

  async 'tasks-extension'({ client, name }) {
    const begin = async () => {
      const task = await client.request('tools/call', { name: `${name}_toil`, arguments: {} })
      expect(task).toMatchObject({ resultType: 'task', status: 'working', ttlMs: 60_000 })
      const { taskId } = task as { taskId: string }
      expect(taskId).not.toContain('toil')
      return taskId
    }
    const [taskId, other] = [await begin(), await begin()]
    expect(await client.request('tasks/get', { taskId })).toMatchObject({
      taskId,
      status: 'input_required',
      inputRequests: { form: { method: 'elicitation/create', params: FORM } },
    })
    const inputResponses = { form: { action: 'accept', content: CONTENT } }
    await client.request('tasks/update', { taskId, inputResponses })
    const completed = { taskId, status: 'completed', result: text(inputResponses) }
    expect(await client.request('tasks/get', { taskId })).toMatchObject(completed)
    await client.request('tasks/cancel', { taskId: other })
    expect(await client.request('tasks/get', { taskId: other })).toMatchObject({ taskId: other, status: 'cancelled' })
  },

  async skills({ client, name }) {
    const skill = skillOf(name)
    const { skills } = await client.request('skills/list')
    expect(skills).toContainEqual(skill)
    expect(await client.request('skills/get', { uri: skill.uri })).toMatchObject({ skill })
    expect(await client.request('resources/read', { uri: skill.uri })).toMatchObject(contentsOf(skill.uri))
  },

  async 'vendor-methods'({ client, name }) {
    const given = { value: ['', 0, null], deep: { x: 'ünï' } }
    expect(await client.request(vendorMethodOf(name), given)).toMatchObject({ given })
  },
}

function linesOf(cell: Cell, levels: readonly string[]): JsonObject[] {
  return levels.map((level) => ({ level, logger: `${cell.name}/${LOGGER}`, data: lineAt(level) }))
}
