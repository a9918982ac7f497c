import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'

import type { JsonObject } from '../../../src/model/json.ts'
import { overSse, connect } from '../../matrix/peers/clients.ts'
import { startGateway } from '../../support/gateway.ts'
import { META, MODERN } from '../../support/script.ts'
import { approval, call, configOf, folder, gatewayWith, same, slow, toolBackend } from './world.ts'
import { callerOf, ERAS, retry, roundOf, statusesIn, textIn, type Result, YES } from './callers.ts'

const RAW_BACKEND = fileURLToPath(new URL('../../support/raw-backend.ts', import.meta.url))

describe('what steps are given', () => {
  test('is not read as a template a second time', async () => {
    const nasty = '{{params.secret}} {{steps.read.output}} {{#if}} <b>&amp;'
    const backend = await toolBackend({ read: () => ({ text: nasty, __proto__x: nasty }), write: same })
    const parameters = { type: 'object', properties: { secret: { type: 'string' }, said: { type: 'string' } } }
    const steps = [
      call('read', 'read'),
      call('write', 'write', {
        arguments: { all: '{{steps.read.output.text}}', part: 'x {{steps.read.output.text}}', said: '{{params.said}}' },
      }),
    ]
    const gateway = await gatewayWith(backend, [{ name: 'flow', parameters, steps }])
    await (await callerOf('modern', gateway.url)).call('flow', { secret: 'S', said: nasty }).result()
    expect(backend.given('write')).toEqual([{ all: nasty, part: `x ${nasty}`, said: nasty }])
  })

  test.each(ERAS)(
    'keeps numbers that JavaScript cannot hold, over a question and a store, from a %s backend',
    async (era) => {
      const NUMBERS = ['12345678901234567890', '-9007199254740993', '0.1234567890123456789', '1e400', '5e-400', '1.5']
      const parameters = { type: 'object', properties: { n: { type: 'number' } } }
      const steps = [
        call('first', 'raw', { arguments: { n: '{{params.n}}' } }),
        approval('sure', { dependsOn: ['first'] }),
        call('second', 'raw', { dependsOn: ['sure'], arguments: { n: '{{steps.first.output.n}}' } }),
      ]
      const stateFolder = folder()
      const config = {
        backends: [{ name: 'raw', command: process.execPath, args: [RAW_BACKEND, era] }],
        compositeTools: [{ name: 'flow', parameters, steps }],
        workflowStorage: { provider: 'file' },
      }
      const first = await startGateway(config, { stateFolder })
      onTestFinished(() => first.close())
      const second = await startGateway(config, { stateFolder })
      onTestFinished(() => second.close())
      for (const n of NUMBERS) {
        const send = async (url: string, more: JsonObject = {}): Promise<string> => {
          const _meta = { [META.version]: MODERN, [META.capabilities]: { elicitation: {} } }
          const params = JSON.stringify({ name: 'flow', arguments: { n: 7654321 }, ...more, _meta }).replace(
            '7654321',
            n,
          )
          const headers = {
            'content-type': 'application/json',
            accept: 'application/json, text/event-stream',
            'mcp-protocol-version': MODERN,
            'mcp-method': 'tools/call',
            'mcp-name': 'flow',
          }
          const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`
          return (await fetch(url, { method: 'POST', headers, body })).text()
        }
        const asked = await send(first.url)
        const data = asked.slice(asked.indexOf('{'))
        const text = await send(second.url, roundOf(JSON.parse(data) as JsonObject, YES))
        expect(text).toContain(`"structuredContent":{"n":${n}}`)
      }
    },
  )

  test('carries the headers that are passed, of the latest request', async () => {
    const backend = await toolBackend({ before: same, after: same })
    const steps = [
      call('before', 'before'),
      approval('sure', { dependsOn: ['before'] }),
      call('after', 'after', { dependsOn: ['sure'] }),
    ]
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps }], { passthroughHeaders: ['X-Request-Id'] })
    const send = async (id: string, more: JsonObject = {}): Promise<JsonObject> => {
      const response = await fetch(gateway.url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'mcp-protocol-version': MODERN,
          'mcp-method': 'tools/call',
          'mcp-name': 'flow',
          'x-request-id': id,
          'x-other': 'no',
        },
        body: JSON.stringify({
          jsonrpc: '2.0',
          id: 1,
          method: 'tools/call',
          params: {
            name: 'flow',
            arguments: {},
            ...more,
            _meta: { [META.version]: MODERN, [META.capabilities]: { elicitation: {} } },
          },
        }),
      })
      const text = await response.text()
      return JSON.parse(text.slice(text.indexOf('{'))) as JsonObject
    }
    await send('second', roundOf(await send('first'), YES))
    const seen = backend.requests
      .filter(({ method }) => method === 'tools/call')
      .map(({ headers }) => [headers['x-request-id'], headers['x-other']])
    expect(seen).toEqual([
      ['first', undefined],
      ['second', undefined],
    ])
  })

  test('is in the session of its caller', async () => {
    const sessions: unknown[] = []
    const backend = await toolBackend(
      { work: (_args, { session }) => ({ number: sessions.push(session) }) },
      { era: 'legacy' },
    )
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps: [call('a', 'work')] }])
    for (const client of [await callerOf('legacy', gateway.url), await callerOf('legacy', gateway.url)]) {
      await client.call('work').result()
      await client.call('flow').result()
    }
    const [one, two, three, four] = sessions
    expect([one === two, three === four, one === three]).toEqual([true, true, false])
  })
})

test('a client on HTTP+SSE runs a workflow and is asked in it', async () => {
  const backend = await toolBackend({ push: same })
  const steps = [
    approval('sure', { schema: { type: 'object', properties: { name: { type: 'string' } } } }),
    call('push', 'push', { arguments: { name: '{{steps.sure.output.content.name}}' } }),
  ]
  const gateway = await gatewayWith(backend, [{ name: 'flow', steps }])
  const leg = { era: 'legacy', transport: 'sse' } as never
  const client = await connect('v1', leg, overSse(gateway.url.replace('/mcp', '/sse')))
  onTestFinished(() => client.close())
  expect(await client.call('flow')).toEqual({ name: 'Ada' })
  expect(client.asked).toMatchObject([{ method: 'elicitation/create', params: { message: 'sure?' } }])
})

describe('processes that share a store', () => {
  const steps = [approval('sure'), call('push', 'push', { dependsOn: ['sure'] })]
  const FLOW: JsonObject = { name: 'flow', steps }

  test('one tells what comes of the run that another performs, and takes no other answer', async () => {
    const long = slow()
    const backend = await toolBackend({ push: long.tool })
    const stateFolder = folder()
    const config = { workflowStorage: { provider: 'file' } }
    const first = await gatewayWith(backend, [FLOW], config, { stateFolder })
    const second = await gatewayWith(backend, [FLOW], config, { stateFolder })
    const asked = await retry(first.url, 'flow', {})
    const round = roundOf(asked, YES)
    const here = retry(first.url, 'flow', round)
    await long.started
    const there = retry(second.url, 'flow', round)
    const other = await retry(second.url, 'flow', roundOf(asked, { action: 'decline' }))
    expect(other).toMatchObject({ error: { code: -32602 } })
    long.finish({ done: true })
    for (const response of [await here, await there]) {
      expect(response).toMatchObject({ result: { structuredContent: { done: true } } })
    }
    expect(backend.calls('push')).toHaveLength(1)
  })

  test('a folder and keys of its own choice', async () => {
    const backend = await toolBackend({ push: same })
    const path = folder()
    const [one, two] = [
      { id: 'one', value: 'one'.repeat(20) },
      { id: 'two', value: 'two'.repeat(20) },
    ]
    const config = (...own: JsonObject[]): JsonObject => ({
      workflowStorage: { provider: 'file', path },
      sealing: { keys: own },
    })
    const gateway = await gatewayWith(backend, [FLOW], config(one))
    const rounds = [
      roundOf(await retry(gateway.url, 'flow', {}), YES),
      roundOf(await retry(gateway.url, 'flow', {}), YES),
    ]
    // The old key still opens what it has sealed.
    await gateway.reload(configOf(backend, [FLOW], config(two, one)))
    expect(statusesIn((await retry(gateway.url, 'flow', rounds[0]!))['result'] as JsonObject)).toMatchObject({
      push: 'completed',
    })
    await gateway.reload(configOf(backend, [FLOW], config(two)))
    expect(await retry(gateway.url, 'flow', rounds[1]!)).toMatchObject({ error: { code: -32602 } })
  })
})

test.each(ERAS)('a %s client that waits for a limit may cancel', async (era) => {
  const backend = await toolBackend({ work: same })
  const gateway = await gatewayWith(
    backend,
    [{ name: 'flow', steps: [call('a', 'work'), call('b', 'work', { dependsOn: ['a'] })] }],
    {
      rateLimiting: { tools: [{ name: 'work', shared: { maxTokens: 1, refillPeriod: '20s' } }] },
    },
  )
  const running = (await callerOf(era, gateway.url)).call('flow', {}, { token: 1 })
  await expect.poll(() => running.messages().length).toBe(1)
  if (era === 'legacy') await running.cancel()
  else running.disconnect()
  await expect
    .poll(async () => (await gateway.gateway.runs.list({}, { kind: 'anonymous' }))[0]?.status)
    .toBe('cancelled')
  expect(backend.calls('work')).toHaveLength(1)
})

test.each(ERAS)('a reload that only takes away what is under way lets it end, for a %s client', async (era) => {
  const long = slow()
  const [gone, kept] = [await toolBackend({ first: long.tool }), await toolBackend({ second: same })]
  const steps = [call('first', 'gone_first'), call('second', 'kept_second', { dependsOn: ['first'] })]
  const gateway = await gatewayWith({ gone, kept }, [{ name: 'flow', steps }])
  const running = (await callerOf(era, gateway.url)).call('flow')
  await long.started
  const prefix = {
    aggregation: { conflictResolution: 'prefix', conflictResolutionConfig: { prefixFormat: '{workload}_' } },
  }
  await gateway.reload(configOf({ kept }, [], prefix))
  long.finish()
  const result: Result = await running.result()
  expect(textIn(result)).not.toContain('no longer fits')
  expect(statusesIn(result)).toEqual({ first: 'completed', second: 'completed' })
})
