import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { JsonObject } from '../../src/model/json.ts'
import { isBefore } from '../../src/protocol/revisions.ts'
import { LOWERED } from '../../src/protocol/downgrade.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { startHttpBackend, type HttpBackend } from '../support/http-backend.ts'
import { comparable } from '../support/offer.ts'
import { waitFor } from '../support/processes.ts'
import { covers } from './covers.ts'
import { ABLE } from './peers/clients.ts'
import { STEPS } from './peers/offer.ts'
import { openSession, told, type RawSession } from './peers/raw.ts'
import { DOWN_CONVERSIONS } from './requirements/down-conversions.ts'
import { startSetup, type Setup } from './setup.ts'

const REVISIONS = ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25']
const ICONS = [{ src: 'https://a.example/icon.png' }]

const RICH: JsonObject = {
  name: 'rich',
  title: 'Rich',
  icons: ICONS,
  annotations: { readOnlyHint: true },
  inputSchema: { type: 'object' },
  outputSchema: { type: 'object' },
}
const PROMPT: JsonObject = {
  name: 'prompt',
  title: 'A prompt',
  icons: ICONS,
  arguments: [{ name: 'a', title: 'An argument' }],
}
const RESOURCE: JsonObject = { uri: 'down://one', name: 'one', title: 'One', icons: ICONS }
const TEMPLATE: JsonObject = { uriTemplate: 'down://{id}', name: 'all', title: 'All', icons: ICONS }

const AUDIO: JsonObject = { type: 'audio', data: 'AAAA', mimeType: 'audio/wav' }
const LINK: JsonObject = { type: 'resource_link', uri: 'down://two', name: 'Two', icons: ICONS }
const RESULTS: Record<string, JsonObject> = {
  audio: { content: [AUDIO] },
  link: { content: [LINK] },
  rich: { content: [], structuredContent: { n: 0 } },
  any: { content: [], structuredContent: [1, null] },
}

test('every row of the code is a requirement', () => {
  const required = new Set(DOWN_CONVERSIONS.map(({ feature, since }) => `${feature} ${since}`))
  expect(LOWERED.map(({ feature, since }) => `${feature} ${since}`).filter((row) => !required.has(row))).toEqual([])
})

describe.each(['legacy', 'modern'] as const)('before a %s backend', (era) => {
  let backend: HttpBackend
  let gateway: TestGateway
  beforeAll(async () => {
    const tools = Object.keys(RESULTS).map((name) => (name === 'rich' ? RICH : { ...RICH, name }))
    backend = await startHttpBackend({
      era,
      tools: [...tools, { name: 'list', inputSchema: { type: 'object' }, outputSchema: { type: 'array' } }],
      results: RESULTS,
      prompts: [PROMPT],
      resources: [RESOURCE],
      templates: [TEMPLATE],
    })
    gateway = await startGateway({ backends: [{ name: 'down', url: backend.url }] })
  })
  afterAll(async () => {
    await gateway.close()
    await backend.close()
  })

  describe.each(REVISIONS)('a client of %s', (revision) => {
    let session: RawSession
    const knows = (since: string) => !isBefore(revision, since)
    const entry = async (method: string, member: string): Promise<JsonObject> =>
      ((await session.request(method)).result![member] as JsonObject[])[0]!
    const toolNamed = async (name: string) =>
      ((await session.request('tools/list')).result!['tools'] as JsonObject[]).find((tool) => tool['name'] === name)!
    beforeAll(async () => {
      session = await openSession(gateway.url, revision)
      expect(session.initialized['protocolVersion']).toBe(revision)
    })
    afterAll(() => session.end())

    test(
      'definitions',
      covers(
        'down.annotations',
        'down.output-schema',
        'down.title',
        'down.argument-titles',
        'down.icons',
        'down.any-output-schema',
        'down.result-members',
      ),
      async () => {
        const named = {
          ...(knows('2025-06-18') && { title: expect.any(String) }),
          ...(knows('2025-11-25') && { icons: ICONS }),
        }
        expect(await toolNamed('rich')).toEqual({
          name: 'rich',
          ...named,
          inputSchema: RICH['inputSchema'],
          ...(knows('2025-03-26') && { annotations: RICH['annotations'] }),
          ...(knows('2025-06-18') && { outputSchema: RICH['outputSchema'] }),
        })
        expect(await toolNamed('list')).not.toHaveProperty('outputSchema')
        const argument = knows('2025-06-18') ? { name: 'a', title: 'An argument' } : { name: 'a' }
        expect(await entry('prompts/list', 'prompts')).toEqual({ name: 'prompt', ...named, arguments: [argument] })
        expect(await entry('resources/list', 'resources')).toEqual({ uri: 'down://one', name: 'one', ...named })
        expect(await entry('resources/templates/list', 'resourceTemplates')).toEqual({
          uriTemplate: 'down://{id}',
          name: 'all',
          ...named,
        })
        for (const member of ['resultType', 'ttlMs', 'cacheScope']) {
          expect((await session.request('tools/list')).result).not.toHaveProperty(member)
          expect((await session.tool('rich')).result).not.toHaveProperty(member)
        }
      },
    )

    test(
      'results',
      covers('down.audio', 'down.resource-link', 'down.link-icons', 'down.structured', 'down.any-structured'),
      async () => {
        const blocks = async (name: string) => (await session.tool(name)).result?.['content']
        if (knows('2025-03-26')) expect(await blocks('audio')).toEqual([AUDIO])
        else expect(await blocks('audio')).toEqual([{ type: 'text', text: expect.stringContaining('audio/wav') }])

        const [link] = (await blocks('link')) as JsonObject[]
        if (!knows('2025-06-18')) expect(link).toEqual({ type: 'text', text: 'Two: down://two' })
        else {
          expect(link).toMatchObject({ type: 'resource_link', uri: 'down://two', name: 'Two' })
          // Nobody stumbles over icons: they may stay where a result passes as it is.
          if (era === 'modern' && !knows('2025-11-25')) expect(link).not.toHaveProperty('icons')
        }

        const rich = comparable((await session.tool('rich')).result!)
        if (knows('2025-06-18')) expect(rich).toMatchObject({ structuredContent: { n: 0 } })
        else expect(rich).toEqual({ content: [{ type: 'text', text: '{"n":0}' }] })

        if (era === 'legacy') return
        const any = comparable((await session.tool('any')).result!)
        expect(any).toEqual({ content: [{ type: 'text', text: '[1,null]' }] })
      },
    )
  })
})

describe('between peers', () => {
  let setup: Setup
  let url: string
  beforeAll(async () => {
    setup = await startSetup()
    url = setup.gateway.url
  })
  afterAll(() => setup.close())

  const OFFERED: Record<string, JsonObject> = {
    '2024-11-05': { sampling: {}, roots: ABLE.roots },
    '2025-03-26': { sampling: {}, roots: ABLE.roots },
    '2025-06-18': { elicitation: {}, sampling: {}, roots: ABLE.roots },
    '2025-11-25': ABLE,
  }

  test.each(REVISIONS)(
    'what backends are told of a client of %s that declares everything',
    covers('down.elicitation', 'down.elicitation-url', 'down.sampling-tools'),
    async (revision) => {
      const session = await openSession(url, revision)
      const offered = OFFERED[revision]!
      // SDK v1 reads an elicitation without members as one with forms.
      const read = revision === '2025-06-18' ? { ...offered, elicitation: { form: {} } } : offered
      for (const backend of ['legacy-http', 'legacy-stdio', 'legacy-sse']) {
        expect(told(await session.tool(`${backend}_declared`))).toEqual(read)
      }
      expect(told(await session.tool('modern-http_declared'))).toEqual({ ...offered, roots: {} })
      await session.end()
    },
  )

  test.each(REVISIONS)('progress for a client of %s', covers('down.progress-message'), async (revision) => {
    const session = await openSession(url, revision)
    for (const backend of ['legacy-http', 'modern-http']) {
      const params = { name: `${backend}_progress`, arguments: {}, _meta: { progressToken: 0 } }
      const { messages, response } = session.start(1, 'tools/call', params)
      await response
      const steps = STEPS.map(({ message, ...step }) => (revision === '2024-11-05' ? step : { ...step, message }))
      expect(messages.map(({ params }) => params)).toEqual(steps.map((step) => ({ progressToken: 0, ...step })))
    }
    await session.end()
  })

  test.each(['2025-06-18', '2025-11-25'])(
    'choices for a client of %s',
    covers('down.titled-choices'),
    async (revision) => {
      const session = await openSession(url, revision)
      for (const backend of ['legacy-http', 'modern-http']) {
        const { messages, response } = session.start(1, 'tools/call', { name: `${backend}_ask-form`, arguments: {} })
        const { id, params } = await waitFor(() => messages.find((message) => 'id' in message))
        const { colour } = (params as { requestedSchema: { properties: { colour: JsonObject } } }).requestedSchema
          .properties
        const lowered = { type: 'string', enum: ['r', 'g'], enumNames: ['Red', 'Green'] }
        if (revision === '2025-06-18') expect(colour).toEqual(lowered)
        else expect(colour).toHaveProperty('oneOf')
        await session.send({ jsonrpc: '2.0', id: id!, result: { action: 'decline' } })
        expect(told((await response)!)).toEqual({ action: 'decline' })
      }
      await session.end()
    },
  )

  test('a link that must be visited, for clients that know none', covers('down.url-required'), async () => {
    for (const revision of ['2024-11-05', '2025-06-18']) {
      const session = await openSession(url, revision)
      const { result } = await session.tool('legacy-http_need-url', { key: `old-${revision}` })
      expect(result).toMatchObject({ isError: true })
      expect(JSON.stringify(result)).toContain('Connect first')
      await session.end()
    }
  })

  test.each(REVISIONS)('tools with tasks for a client of %s', covers('down.core-tasks'), async (revision) => {
    const session = await openSession(url, revision)
    const { tools } = (await session.request('tools/list')).result as { tools: JsonObject[] }
    const labour = tools.find(({ name }) => name === 'legacy-http_labour')
    if (revision === '2025-11-25') expect(labour).toMatchObject({ execution: { taskSupport: 'required' } })
    else expect(labour).not.toHaveProperty('execution')
    await session.end()
  })

  test('subscriptions', covers('down.subscription-ids'), async () => {
    const session = await openSession(url)
    const stream = session.listen()
    await stream.status
    const uri = 'matrix://modern-http/two'
    await session.request('resources/subscribe', { uri })
    await session.tool('modern-http_touch', { uri })
    const updated = () => stream.messages.find(({ method }) => method === 'notifications/resources/updated')
    expect(await waitFor(updated)).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/resources/updated',
      params: { uri },
    })
    stream.abort()
    await session.end()
  })
})
