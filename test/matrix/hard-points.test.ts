import { setTimeout as sleep } from 'node:timers/promises'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { JsonObject } from '../../src/model/json.ts'
import { startGateway } from '../support/gateway.ts'
import { waitFor } from '../support/processes.ts'
import { covers } from './covers.ts'
import { ABLE, CONTENT, ROOTS } from './peers/clients.ts'
import { FORM, LEVELS, LOGGER, SECOND_FORM, STEPS, UNATTRIBUTED, lineAt } from './peers/offer.ts'
import { modernAt, openSession, told, wanted, type RawModern } from './peers/raw.ts'
import type { World } from './peers/world.ts'
import { startSetup, type Setup } from './setup.ts'

let setup: Setup
let url: string
beforeAll(async () => {
  setup = await startSetup()
  url = setup.gateway.url
})
afterAll(() => setup.close())

const worldOf = (name: string): World => setup.peers.get(name)!.world
const ACCEPTED = { action: 'accept', content: CONTENT }
const SURE = { action: 'accept', content: { sure: true } }

let keys = 0
const newKey = () => `hard-${++keys}`

/** A retry of a call with one answer for every question. */
function retry(client: RawModern, name: string, requestState: string, inputResponses: JsonObject, meta?: JsonObject) {
  return client.tool(name, { inputResponses, requestState }, meta)
}

describe('1: parked calls', () => {
  test('questions that come together', covers('hard.1.together'), async () => {
    const client = modernAt(url)
    const { questions, requestState } = wanted(await client.tool('legacy-http_ask-together'))
    expect(new Set(questions.map(([, { method }]) => method))).toEqual(new Set(['elicitation/create', 'roots/list']))
    const answers = Object.fromEntries(
      questions.map(([key, { method }]) => [key, method === 'roots/list' ? { roots: ROOTS } : ACCEPTED]),
    )
    const done = await retry(client, 'legacy-http_ask-together', requestState, answers)
    expect(told(done)).toEqual([ACCEPTED, { roots: ROOTS }])
    expect(done.result).toMatchObject({ resultType: 'complete' })
  })

  test(
    'several rounds of one call, with progress in the second',
    covers('hard.1.rounds', 'hard.1.once', 'hard.1.progress'),
    async () => {
      const client = modernAt(url)
      const world = worldOf('legacy-http')
      const before = world.calls['ask-twice'] ?? 0
      const name = 'legacy-http_ask-twice'
      const first = wanted(await client.tool(name, {}, { progressToken: 'first' }))
      expect(first.questions).toMatchObject([[expect.any(String), { params: FORM }]])
      const again = client.start(
        'tools/call',
        {
          name,
          arguments: {},
          requestState: first.requestState,
          inputResponses: { [first.questions[0]![0]]: ACCEPTED },
        },
        { progressToken: 'second' },
      )
      const second = wanted((await again.response)!)
      expect(again.messages).toEqual([
        { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 'second', ...STEPS[0] } },
      ])
      expect(second.questions).toMatchObject([[expect.any(String), { params: SECOND_FORM }]])
      expect(second.requestState).not.toBe(first.requestState)
      const done = await retry(client, name, second.requestState, { [second.questions[0]![0]]: SURE })
      expect(told(done)).toEqual([ACCEPTED, SURE])
      expect(world.calls['ask-twice']).toBe(before + 1)
    },
  )

  test('a retry that is sent twice', covers('hard.1.duplicate'), async () => {
    const client = modernAt(url)
    const before = worldOf('legacy-http').calls['ask-form'] ?? 0
    const { questions, requestState } = wanted(await client.tool('legacy-http_ask-form'))
    const answers = { [questions[0]![0]]: ACCEPTED }
    const both = await Promise.all([
      retry(client, 'legacy-http_ask-form', requestState, answers),
      retry(client, 'legacy-http_ask-form', requestState, answers),
    ])
    expect(both.map(told)).toEqual([ACCEPTED, ACCEPTED])
    expect(told(await retry(client, 'legacy-http_ask-form', requestState, answers))).toEqual(ACCEPTED)
    expect(worldOf('legacy-http').calls['ask-form']).toBe(before + 1)
  })

  test(
    'states that are not of this call, answers that are none',
    covers('hard.1.tampered', 'hard.1.invalid', 'hard.1.partial'),
    async () => {
      const client = modernAt(url)
      const name = 'legacy-http_ask-together'
      const { questions, requestState } = wanted(await client.tool(name))
      const form = questions.find(([, { method }]) => method === 'elicitation/create')![0]
      const roots = questions.find(([, { method }]) => method === 'roots/list')![0]
      const refused = { error: { code: -32602 } }
      const changed = `${requestState.slice(0, -2)}${requestState.endsWith('A') ? 'BB' : 'AA'}`
      expect(await retry(client, name, changed, { [form]: ACCEPTED })).toMatchObject(refused)
      expect(await retry(client, 'legacy-http_ask-form', requestState, { [form]: ACCEPTED })).toMatchObject(refused)
      expect(await retry(client, name, requestState, { [form]: { action: 'maybe' } })).toMatchObject(refused)
      expect(await retry(client, name, requestState, { [form]: 'yes' })).toMatchObject(refused)
      const rest = wanted(await retry(client, name, requestState, { [form]: ACCEPTED }))
      expect(rest.questions.map(([key]) => key)).toEqual([roots])
      const done = await retry(client, name, rest.requestState, { [roots]: { roots: ROOTS } })
      expect(told(done)).toEqual([ACCEPTED, { roots: ROOTS }])
    },
  )

  test('a gateway that was restarted', covers('hard.1.foreign'), async () => {
    const { url: backend, world } = setup.peers.get('legacy-http')!
    const config = {
      backends: [{ name: 'only', url: backend }],
      sealing: { keys: [{ id: 'k', value: 'a key that both processes have been given' }] },
    }
    const first = await startGateway(config)
    const { questions, requestState } = wanted(await modernAt(first.url).tool('ask-form'))
    const calls = world.calls['ask-form']
    await first.close()
    const second = await startGateway(config)
    try {
      const answer = await retry(modernAt(second.url), 'ask-form', requestState, { [questions[0]![0]]: ACCEPTED })
      expect(answer).toMatchObject({ error: { code: -32602 } })
      expect(world.calls['ask-form']).toBe(calls)
    } finally {
      await second.close()
    }
  })

  test.each(['legacy-http', 'legacy-sse'])('a client that leaves (%s)', covers('hard.1.gone'), async (backend) => {
    const key = newKey()
    const call = modernAt(url).start('tools/call', { name: `${backend}_wait`, arguments: { key } })
    await waitFor(() => worldOf(backend).started.includes(key))
    call.abort()
    await waitFor(() => worldOf(backend).cancelled.includes(key))
  })
})

describe('2: what a caller can do', () => {
  const PROFILES: JsonObject[] = [{}, { elicitation: { form: {} } }, { sampling: {}, roots: {} }, ABLE]
  const BACKENDS = ['legacy-stdio', 'legacy-http', 'legacy-sse', 'modern-stdio', 'modern-http']

  test.each(BACKENDS)('%s is offered what the caller declared', covers('hard.2.offered'), async (backend) => {
    for (const profile of PROFILES) {
      const { roots, ...rest } = profile
      const modern = backend.startsWith('modern') && roots ? { ...rest, roots: {} } : profile
      const session = await openSession(url, '2025-11-25', profile)
      expect(told(await session.tool(`${backend}_declared`))).toEqual(modern)
      await session.end()
      const { listChanged: _, ...declared } = (roots ?? {}) as JsonObject
      const plain = roots ? { ...rest, roots: declared } : rest
      expect(told(await modernAt(url, plain).tool(`${backend}_declared`))).toEqual(plain)
    }
  })

  test.each(BACKENDS)(
    '%s asks for what the caller did not declare',
    covers('hard.2.refused', 'hard.2.legacy-refused', 'rule.8.capabilities'),
    async (backend) => {
      for (const tool of ['ask-form', 'sample', 'list-roots']) {
        const answer = await modernAt(url, {}).tool(`${backend}_${tool}`)
        expect(answer.result?.['resultType']).not.toBe('input_required')
        expect(answer.error ?? answer.result?.['isError']).toBeTruthy()
        const session = await openSession(url, '2025-11-25', {})
        const { messages, response } = session.start(7, 'tools/call', { name: `${backend}_${tool}`, arguments: {} })
        const refused = (await response)!
        expect(refused.error ?? refused.result?.['isError']).toBeTruthy()
        expect(messages.filter((message) => 'id' in message)).toEqual([])
        await session.end()
      }
    },
  )
})

describe('3: state of a session', () => {
  test.each(['legacy-stdio', 'legacy-http', 'legacy-sse'])(
    '%s keeps it for one client',
    covers('hard.3.session', 'hard.3.principal'),
    async (backend) => {
      const [one, two] = [await openSession(url), await openSession(url)]
      expect(told(await one.tool(`${backend}_count`))).toBe(1)
      expect(told(await one.tool(`${backend}_count`))).toBe(2)
      expect(told(await two.tool(`${backend}_count`))).toBe(1)
      const first = told(await modernAt(url).tool(`${backend}_count`))
      expect(told(await modernAt(url).tool(`${backend}_count`))).toBe(Number(first) + 1)
      await one.end()
      await two.end()
    },
  )
})

describe('4: leaving', () => {
  test.each(['legacy-http', 'legacy-sse', 'modern-http'])(
    'a connection that breaks, %s',
    covers('hard.4.legacy-leaves', 'hard.4.modern-leaves'),
    async (backend) => {
      const { started, cancelled } = worldOf(backend)
      const [stays, leaves] = [newKey(), newKey()]
      const session = await openSession(url)
      const legacy = session.start('call-1', 'tools/call', { name: `${backend}_wait`, arguments: { key: stays } })
      const modern = modernAt(url).start('tools/call', { name: `${backend}_wait`, arguments: { key: leaves } })
      await waitFor(() => started.includes(stays) && started.includes(leaves))
      legacy.abort()
      modern.abort()
      await waitFor(() => cancelled.includes(leaves))
      await sleep(200)
      expect(cancelled).not.toContain(stays)
      await session.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'call-1' } })
      await waitFor(() => cancelled.includes(stays))
      await session.end()
    },
  )
})

describe('5: gaps', () => {
  test.each(['legacy-http', 'legacy-sse', 'modern-http'])('%s breaks off', covers('hard.5.gap'), async (backend) => {
    const uri = `matrix://${backend}/one`
    const session = await openSession(url)
    const legacy = session.listen()
    await legacy.status
    expect(await session.request('resources/subscribe', { uri })).toMatchObject({ result: {} })
    const modern = modernAt(url).start('subscriptions/listen', { notifications: { resourceSubscriptions: [uri] } })
    await waitFor(() => modern.messages.length > 0)
    setup.peers.get(backend)!.cut()
    for (const { messages } of [legacy, modern]) {
      const updates = () => messages.filter(({ method }) => method === 'notifications/resources/updated')
      await waitFor(() => updates().length > 0, 8000, 'the update')
      expect(updates()[0]).toMatchObject({ params: { uri } })
    }
    modern.abort()
    legacy.abort()
    await session.end()
  })
})

describe('6: levels', () => {
  const lines = (messages: JsonObject[]) =>
    messages.filter(({ method }) => method === 'notifications/message').map(({ params }) => params)
  const from = (backend: string, level: (typeof LEVELS)[number]) =>
    LEVELS.slice(LEVELS.indexOf(level)).map((each) => ({
      level: each,
      logger: `${backend}/${LOGGER}`,
      data: lineAt(each),
    }))

  test.each(['legacy-http', 'modern-http'])('several at once, %s', covers('hard.6.levels'), async (backend) => {
    const name = `${backend}_log`
    const meta = (level: string) => ({ 'io.modelcontextprotocol/logLevel': level })
    const modern = LEVELS.map((level) => ({
      level,
      call: modernAt(url).start('tools/call', { name, arguments: {} }, meta(level)),
    }))
    const legacy = await Promise.all(
      LEVELS.map(async (level) => {
        const session = await openSession(url)
        await session.request('logging/setLevel', { level })
        return { level, session, call: session.start(9, 'tools/call', { name, arguments: {} }) }
      }),
    )
    for (const { level, call } of [...modern, ...legacy]) {
      await call.response
      expect(lines(call.messages)).toEqual(from(backend, level))
    }
    await Promise.all(legacy.map(({ session }) => session.end()))
  })

  test.each(['legacy-http', 'legacy-stdio', 'legacy-sse'])(
    'a line of nobody, %s',
    covers('hard.6.unattributed-modern', 'hard.6.unattributed-legacy'),
    async (backend) => {
      const session = await openSession(url)
      const stream = session.listen()
      await stream.status
      const listening = modernAt(url).start('subscriptions/listen', { notifications: { toolsListChanged: true } })
      // The one of streamable HTTP has no stream of its own for it until it has been asked for something.
      await session.tool(`${backend}_count`)
      const call = session.start(3, 'tools/call', { name: `${backend}_log-later`, arguments: {} })
      expect(told((await call.response)!)).toBe('logged')
      const line = { level: 'error', logger: `${backend}/${LOGGER}`, data: UNATTRIBUTED }
      await waitFor(() => [...lines(stream.messages), ...lines(call.messages)].length > 0, 3000, 'the line')
      expect([...lines(stream.messages), ...lines(call.messages)]).toEqual([line])
      await modernAt(url).tool(`${backend}_log-later`, {}, { 'io.modelcontextprotocol/logLevel': 'debug' })
      await sleep(100)
      expect(lines(listening.messages)).toEqual([])
      expect(lines(stream.messages).length).toBeLessThanOrEqual(1)
      listening.abort()
      stream.abort()
      await session.end()
    },
  )
})

describe('7: broken streams', () => {
  test('of a legacy client before a modern backend', covers('hard.7.resume'), async () => {
    const session = await openSession(url)
    const before = worldOf('modern-http').calls['linger'] ?? 0
    const params = { name: 'modern-http_linger', arguments: {}, _meta: { progressToken: 't' } }
    const call = session.start(5, 'tools/call', params)
    await waitFor(() => call.messages.length > 0, 3000, 'the first progress')
    call.abort()
    const resumed = session.listen(call.eventIds.at(-1))
    expect(await resumed.status).toBe(200)
    expect(told((await resumed.response)!)).toBe('lingered')
    expect(resumed.messages).toMatchObject([{ params: { progressToken: 't', ...STEPS[1] } }])
    expect(worldOf('modern-http').calls['linger']).toBe(before + 1)
    await session.end()
  })

  test.each(['legacy-http', 'legacy-sse', 'modern-http'])('of %s', covers('hard.7.lost'), async (backend) => {
    const { started } = worldOf(backend)
    const [one, two] = [newKey(), newKey()]
    const session = await openSession(url)
    const legacy = session.start(1, 'tools/call', { name: `${backend}_wait`, arguments: { key: one } })
    const modern = modernAt(url).start('tools/call', { name: `${backend}_wait`, arguments: { key: two } })
    await waitFor(() => started.includes(one) && started.includes(two))
    setup.peers.get(backend)!.cut()
    for (const { response } of [legacy, modern]) {
      const answer = (await response)!
      expect(answer.error ?? answer.result?.['isError']).toBeTruthy()
    }
    await sleep(300)
    expect(started.filter((key) => key === one || key === two)).toHaveLength(2)
    await session.end()
  })
})

describe('8: tasks', () => {
  test.each(['legacy-http', 'legacy-stdio', 'legacy-sse'])(
    'a tool of %s that requires one',
    covers('hard.8.required'),
    async (backend) => {
      expect(told(await modernAt(url).tool(`${backend}_labour`))).toBe('laboured')
      const session = await openSession(url, '2025-06-18')
      expect(told(await session.tool(`${backend}_labour`))).toBe('laboured')
      await session.end()
    },
  )

  test('each era knows its own only', covers('hard.8.hidden'), async () => {
    const modern = modernAt(url)
    const discovered = (await modern.request('server/discover')).result!
    expect(discovered['capabilities']).not.toHaveProperty('tasks')
    const { tools } = (await modern.request('tools/list')).result as { tools: JsonObject[] }
    expect(tools.filter((tool) => 'execution' in tool)).toEqual([])
    const session = await openSession(url)
    const { extensions = {} } = session.initialized['capabilities'] as { extensions?: JsonObject }
    expect(extensions).not.toHaveProperty(['io.modelcontextprotocol/tasks'])
    await session.end()
  })
})

describe('9: questions without a call', () => {
  test.each(['legacy-http', 'legacy-stdio', 'legacy-sse'])(
    'of %s',
    covers('hard.9.modern', 'hard.9.legacy'),
    async (backend) => {
      const client = await setup.connect('v1', { era: 'legacy', wire: 'http' })
      await client.call(`${backend}_unsolicited`)
      await waitFor(() => client.asked.length > 0, 3000, 'the question')
      expect(client.asked).toEqual([{ method: 'elicitation/create', params: { mode: 'form', ...FORM } }])
      const answers = async () =>
        ((await client.call(`${backend}_recall`)) as { unsolicited: unknown[] }).unsolicited.at(-1)
      await waitFor(answers)
      expect(await answers()).toEqual(ACCEPTED)
      const modern = modernAt(url)
      const recalled = async () =>
        (told(await modern.tool(`${backend}_recall`)) as { unsolicited: JsonObject[] }).unsolicited
      const before = (await recalled()).length
      await modern.tool(`${backend}_unsolicited`)
      // No other call may run while it asks: that one could be meant.
      await sleep(250)
      expect((await recalled()).slice(before)).toEqual([{ code: -32601 }])
      expect(client.asked).toHaveLength(1)
      await client.close()
    },
  )
})

describe('10: ids of URL elicitations', () => {
  test('made for legacy clients', covers('hard.10.made'), async () => {
    const client = await setup.connect('v1', { era: 'legacy', wire: 'http' })
    await client.call('modern-http_ask-url')
    await client.call('modern-http_ask-url')
    const ids = client.asked.map(({ params }) => params['elicitationId'])
    expect(ids).toEqual([expect.any(String), expect.any(String)])
    expect(ids[0]).not.toBe(ids[1])
    await client.close()
  })

  test('dropped for modern ones', covers('hard.10.dropped'), async () => {
    const { questions } = wanted(await modernAt(url).tool('legacy-http_ask-url'))
    expect(questions).toHaveLength(1)
    expect(questions[0]![1]['params']).not.toHaveProperty('elicitationId')
    const required = wanted(await modernAt(url).tool('legacy-http_need-url', { arguments: { key: newKey() } }))
    expect(required.questions[0]![1]['params']).not.toHaveProperty('elicitationId')
  })
})
