import { describe, expect, test } from 'vitest'

import type { JsonObject } from '../../../src/model/json.ts'
import { legacyClient, modernClient } from '../../support/raw-client.ts'
import { waitFor } from '../../support/processes.ts'
import { approval, call, configOf, gatewayWith, listed, same, toolBackend } from './world.ts'
import { callerOf, ERAS, namesOf, statusesIn, textIn, YES } from './callers.ts'

const CLIENTS = { legacy: legacyClient, modern: modernClient }
const FLOW: JsonObject = { name: 'flow', steps: [call('read', 'read', { arguments: { path: 'x' } })] }
const READ = listed('read', {
  inputSchema: { type: 'object', properties: { path: { type: 'string' } }, required: ['path'] },
})
const RENAMED = listed('read', {
  inputSchema: { type: 'object', properties: { file: { type: 'string' } }, required: ['file'] },
})

describe.each(ERAS)('for a %s client', (era) => {
  test('a workflow that its backend’s tools no longer fit is withdrawn with a reason, and comes back', async () => {
    const backend = await toolBackend({ read: same, other: same })
    backend.script.tools = [READ, listed('other')]
    const gateway = await gatewayWith(backend, [FLOW, { name: 'kept', steps: [call('o', 'other')] }])
    const watcher = await CLIENTS[era](gateway.url)
    const client = await callerOf(era, gateway.url)
    expect((await watcher.tools()).toSorted()).toEqual(['flow', 'kept', 'other', 'read'])
    expect(statusesIn(await client.call('flow').result())).toEqual({ read: 'completed' })

    backend.change('tools', [RENAMED, listed('other')])
    await waitFor(async () => !(await watcher.tools()).includes('flow'))
    expect((await watcher.tools()).toSorted()).toEqual(['kept', 'other', 'read'])
    const away = await client.call('flow').result()
    expect(away).toMatchObject({ isError: true })
    expect(textIn(away)).toMatch(/^Workflow "flow" is withdrawn, .*: .*(path|file)/)
    expect(gateway.events).toContainEqual({
      name: 'workflow.withdrawn',
      data: expect.objectContaining({ workflow: 'flow', why: expect.stringMatching(/path|file/) }),
    })
    expect(statusesIn(await client.call('kept').result())).toEqual({ o: 'completed' })

    backend.change('tools', [listed('other')])
    await waitFor(async () => !(await watcher.tools()).includes('read'))
    expect(textIn(await client.call('flow').result())).toContain('there is no tool "read"')

    const before = watcher.changes.length
    backend.change('tools', [READ, listed('other')])
    await waitFor(async () => (await watcher.tools()).includes('flow'))
    await waitFor(() => watcher.changes.length > before)
    expect(new Set(watcher.changes)).toEqual(new Set(['notifications/tools/list_changed']))
    expect(gateway.events).toContainEqual({ name: 'workflow.ready', data: { workflow: 'flow' } })
    expect(statusesIn(await client.call('flow').result())).toEqual({ read: 'completed' })
    await watcher.close()
  })

  test('one that is broken from the start does not take its neighbours, and says what is wrong', async () => {
    const backend = await toolBackend({ read: same })
    const broken: [string, JsonObject[], RegExp][] = [
      ['no_tool', [call('a', 'reed')], /there is no tool "reed"/],
      ['no_step', [call('a', 'read', { arguments: { x: '{{steps.b.output}}' } })], /\bb\b/],
      [
        'circle',
        [call('a', 'read', { dependsOn: ['b'] }), call('b', 'read', { dependsOn: ['a'] })],
        /wait for each other/,
      ],
      ['template', [call('a', 'read', { arguments: { x: '{{#if}}' } })], /./],
      ['schema', [approval('a', { schema: { type: 'array' } })], /schema/],
    ]
    const workflows = [
      ...broken.map(([name, steps]): JsonObject => ({ name, steps })),
      { name: 'fine', steps: [call('a', 'read')] },
    ]
    const gateway = await gatewayWith(backend, workflows)
    const client = await callerOf(era, gateway.url)
    expect(namesOf(await client.tools())).toEqual(['fine', 'read'])
    expect(statusesIn(await client.call('fine').result())).toEqual({ a: 'completed' })
    for (const [name, , why] of broken) {
      const away = await client.call(name).result()
      expect(away).toMatchObject({ isError: true })
      expect(textIn(away)).toMatch(why)
      expect(gateway.events).toContainEqual({
        name: 'workflow.withdrawn',
        data: expect.objectContaining({ workflow: name, why: expect.stringMatching(why) }),
      })
    }
    expect(backend.calls('read')).toHaveLength(1)
  })

  test('one keeps its name before a tool of a backend, which is told as a conflict', async () => {
    const backend = await toolBackend({ read: same, flow: () => ({ mine: true }) })
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps: [call('a', 'one.flow')] }])
    const client = await callerOf(era, gateway.url)
    const shown = namesOf(await client.tools())
    expect(shown).toHaveLength(3)
    expect(shown).toEqual(expect.arrayContaining(['flow', 'read']))
    const own = shown.find((name) => name !== 'flow' && name !== 'read')!
    expect(own).toMatch(/^.*flow_\w+$/)
    expect(await client.call(own).result()).toMatchObject({ structuredContent: { mine: true } })
    const result = await client.call('flow').result()
    expect(result).toMatchObject({ structuredContent: { mine: true } })
    expect(statusesIn(result)).toEqual({ a: 'completed' })
    expect(gateway.gateway.current.keeper.catalogue.conflicts).toMatchObject([
      { name: 'flow', resolution: expect.stringContaining('flow') },
    ])
    expect(gateway.events).toContainEqual({
      name: 'catalogue.note',
      data: { message: expect.stringContaining('flow') },
    })
  })

  test('one that a reload adds is listed, one that it removes is unknown, and both are told', async () => {
    const backend = await toolBackend({ read: same })
    const gateway = await gatewayWith(backend, [FLOW])
    const watcher = await CLIENTS[era](gateway.url)
    const client = await callerOf(era, gateway.url)
    expect(await watcher.tools()).toEqual(expect.arrayContaining(['flow', 'read']))
    await gateway.reload(configOf(backend, [{ ...FLOW, name: 'new' }]))
    await waitFor(() => watcher.changes.includes('notifications/tools/list_changed'))
    expect((await watcher.tools()).toSorted()).toEqual(['new', 'read'])
    expect(statusesIn(await client.call('new').result())).toEqual({ read: 'completed' })
    expect(await client.call('flow').response()).toMatchObject({
      error: { code: -32602, message: 'Unknown tool: flow' },
    })
    await watcher.close()
  })

  test('hints follow from the tools, and the author’s come first', async () => {
    const backend = await toolBackend({ read: same, write: same })
    const reads = { annotations: { readOnlyHint: true, openWorldHint: false } }
    backend.script.tools = [listed('read', reads), listed('write')]
    const gateway = await gatewayWith(backend, [
      { name: 'reads', steps: [call('a', 'read')] },
      { name: 'writes', steps: [call('a', 'read'), call('b', 'write')] },
      { name: 'says', steps: [call('b', 'write')], annotations: { destructiveHint: false, title: 'Says' } },
    ])
    const tools = await (await callerOf(era, gateway.url)).tools()
    const hints = (name: string) => tools.find((tool) => tool['name'] === name)?.['annotations']
    expect(hints('reads')).toEqual({ readOnlyHint: true, destructiveHint: false, openWorldHint: false })
    expect(hints('writes')).toEqual({ readOnlyHint: false, destructiveHint: true, openWorldHint: true })
    expect(hints('says')).toMatchObject({ destructiveHint: false, title: 'Says' })
  })
})

test('a workflow whose backend has not answered yet waits for it as the first list does', async () => {
  const backend = await toolBackend({ read: same }, { slowStartMs: 300 })
  const gateway = await gatewayWith(backend, [FLOW])
  const client = await callerOf('modern', gateway.url)
  expect(statusesIn(await client.call('flow').result())).toEqual({ read: 'completed' })
  expect(gateway.events.filter(({ name }) => /^workflow\.(waiting|withdrawn)$/.test(name))).toEqual([])
})

test('a workflow whose backend never answers is away, and its neighbours are there', async () => {
  const [there, gone] = [await toolBackend({ read: same }), await toolBackend({ write: same })]
  await gone.stop()
  const gateway = await gatewayWith({ there, gone }, [
    { name: 'reads', steps: [call('a', 'there_read')] },
    { name: 'writes', steps: [call('a', 'gone_write')] },
  ])
  const client = await callerOf('modern', gateway.url)
  expect(namesOf(await client.tools())).toEqual(['reads', 'there_read'])
  expect(statusesIn(await client.call('reads').result())).toEqual({ a: 'completed' })
  const away = await client.call('writes').result()
  expect(textIn(away)).toMatch(
    /^Workflow "writes" cannot be called yet: "gone_write" is not known yet: backend "gone" cannot be reached: ./,
  )
  const why = expect.stringContaining('backend "gone" cannot be reached')
  expect(gateway.events).toContainEqual({ name: 'workflow.waiting', data: { workflow: 'writes', why } })
  await gone.start()
  await waitFor(async () => namesOf(await client.tools()).includes('writes'), 10_000)
  expect(statusesIn(await client.call('writes').result())).toEqual({ a: 'completed' })
})

test('a workflow stays listed while a backend that has told its tools is down', async () => {
  const backend = await toolBackend({ read: same })
  const gateway = await gatewayWith(backend, [FLOW])
  const client = await callerOf('modern', gateway.url)
  expect(statusesIn(await client.call('flow').result())).toEqual({ read: 'completed' })
  await backend.stop()
  expect(textIn(await client.call('flow').result())).toMatch(/at step "read": .*backend "one" cannot be reached/)
  await backend.start()
  expect(statusesIn(await client.call('flow').result())).toEqual({ read: 'completed' })
})

test('a run that waits goes on with a workflow that is withdrawn meanwhile, as far as it fits', async () => {
  const backend = await toolBackend({ read: same, write: same })
  const steps = [
    call('first', 'read'),
    approval('sure', { dependsOn: ['first'] }),
    call('last', 'write', { dependsOn: ['sure'] }),
  ]
  const gateway = await gatewayWith(backend, [{ name: 'flow', steps }])
  const client = await callerOf('modern', gateway.url)
  const [one, two] = [client.call('flow'), client.call('flow')]
  await Promise.all([one.questions(1), two.questions(1)])
  // What it has done needs no tool any more.
  backend.change('tools', [listed('write')])
  await waitFor(async () => !namesOf(await client.tools()).includes('flow'))
  await one.answer(YES)
  expect(statusesIn(await one.result())).toEqual({ first: 'completed', sure: 'completed', last: 'completed' })
  backend.change('tools', [listed('read')])
  await waitFor(async () => !namesOf(await client.tools()).includes('write'))
  await two.answer(YES)
  const result = await two.result()
  expect(textIn(result)).toMatch(/no longer fits the tools that there are: .*write.*Ended before: first\./)
  expect(backend.calls('write')).toHaveLength(1)
})

test('what a composite within a run has needed matters no more once it has ended', async () => {
  const backend = await toolBackend({ read: same, write: same })
  const inner = { name: 'inner', steps: [call('first', 'read')] }
  const steps = [
    { id: 'nested', type: 'workflow', workflow: 'inner' },
    approval('sure', { dependsOn: ['nested'] }),
    call('last', 'write', { dependsOn: ['sure'] }),
  ]
  const gateway = await gatewayWith(backend, [{ name: 'flow', steps }, inner])
  const client = await callerOf('modern', gateway.url)
  const running = client.call('flow')
  await running.questions(1)
  backend.change('tools', [listed('write')])
  await waitFor(async () => !namesOf(await client.tools()).includes('flow'))
  await running.answer(YES)
  expect(statusesIn(await running.result())).toEqual({ nested: 'completed', sure: 'completed', last: 'completed' })
})

// What has ended is known by the ids of the outermost steps alone: of a composite under way, all that it calls is asked for.
test.fails('what the ended steps of a composite within a run have needed matters no more', async () => {
  const backend = await toolBackend({ read: same, write: same })
  const inner = {
    name: 'inner',
    steps: [
      call('first', 'read'),
      approval('sure', { dependsOn: ['first'] }),
      call('last', 'write', { dependsOn: ['sure'] }),
    ],
  }
  const nested = { id: 'nested', type: 'workflow', workflow: 'inner' }
  const gateway = await gatewayWith(backend, [{ name: 'flow', steps: [nested] }, inner])
  const client = await callerOf('modern', gateway.url)
  const running = client.call('flow')
  await running.questions(1)
  backend.change('tools', [listed('write')])
  await waitFor(async () => !namesOf(await client.tools()).includes('flow'))
  await running.answer(YES)
  expect(statusesIn(await running.result())).toEqual({ nested: 'completed' })
})
