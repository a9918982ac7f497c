import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { JsonObject } from '../../../src/model/json.ts'
import { ANONYMOUS } from '../../../src/model/principal.ts'
import { startProvider, type RunningProvider } from '../../support/oidc/provider.ts'
import { waitFor } from '../../support/processes.ts'
import { approval, call, configOf, folder, gatewayWith, same, slow, toolBackend } from './world.ts'
import { callerOf, DECLINE, ERAS, retry, roundOf, statusesIn, textIn, type Result, YES } from './callers.ts'

const FILE: JsonObject = { workflowStorage: { provider: 'file' } }

const STEPS = [
  call('before', 'before', { arguments: { text: '{{params.text}}' } }),
  approval('sure', { dependsOn: ['before'] }),
  call('after', 'after', { dependsOn: ['sure'], arguments: { text: '{{steps.before.output.text}}' } }),
]
const FLOW: JsonObject = {
  name: 'flow',
  parameters: { type: 'object', properties: { text: { type: 'string' } } },
  steps: STEPS,
}
const HELLO = { arguments: { text: 'hello' } }
const DONE = { result: { structuredContent: { text: 'hello' } } }
const COMPLETED = { before: 'completed', sure: 'completed', after: 'completed' }

const resultOf = (response: JsonObject): Result => response['result'] as Result

describe.each(ERAS)('a reload in the middle, for a %s client', (era) => {
  test('leaves a run its definition', async () => {
    const backend = await toolBackend({ before: same, after: same, other: same })
    const gateway = await gatewayWith(backend, [FLOW])
    const running = (await callerOf(era, gateway.url)).call('flow', HELLO.arguments)
    await running.questions(1)
    await gateway.reload(configOf(backend, [{ ...FLOW, steps: [call('other', 'other')] }]))
    await running.answer(YES)
    expect(statusesIn(await running.result())).toEqual(COMPLETED)
    const fresh = await (await callerOf(era, gateway.url)).call('flow', HELLO.arguments).result()
    expect(statusesIn(fresh)).toEqual({ other: 'completed' })
  })

  test('that takes a tool away fails what needs it, and names what is done', async () => {
    const backend = await toolBackend({ before: same })
    const gone = await toolBackend({ after: same })
    const steps = [
      call('before', 'one_before'),
      approval('sure', { dependsOn: ['before'] }),
      call('after', 'gone_after', { dependsOn: ['sure'] }),
    ]
    const gateway = await gatewayWith({ one: backend, gone }, [{ name: 'flow', steps }])
    const running = (await callerOf(era, gateway.url)).call('flow')
    await running.questions(1)
    await gateway.reload(configOf({ one: backend }, [{ name: 'flow', steps: [call('before', 'one.before')] }]))
    if (era === 'modern') await running.answer(YES)
    const result = await running.result()
    expect(textIn(result)).toMatch(/no longer fits the tools that there are: .*"gone_after".*Ended before: before\./)
    expect(statusesIn(result)).toMatchObject({ before: 'completed' })
    expect(gone.calls('after')).toEqual([])
  })

  test('lets a call that is under way end where it is, and makes the next one in the new generation', async () => {
    const long = slow()
    const old = await toolBackend({ first: long.tool })
    const [one, other] = [await toolBackend({ second: same }), await toolBackend({ second: same })]
    const steps = [call('first', 'old_first'), call('second', 'new_second', { dependsOn: ['first'] })]
    const workflow = { name: 'flow', steps }
    const gateway = await gatewayWith({ old, new: one }, [workflow])
    const client = await callerOf(era, gateway.url)
    const running = client.call('flow')
    await long.started
    await gateway.reload(configOf({ old, new: other }, [workflow]))
    await waitFor(async () => (await client.tools()).some(({ name }) => name === 'new_second'))
    long.finish()
    expect(statusesIn(await running.result())).toEqual({ first: 'completed', second: 'completed' })
    expect([one.calls('second'), other.calls('second')].map(({ length }) => length)).toEqual([0, 1])
  })

  test('that takes away what a run needs cancels what is under way', async () => {
    const long = slow()
    const [one, gone] = [await toolBackend({ first: long.tool }), await toolBackend({ second: same })]
    const steps = [call('first', 'one_first'), call('second', 'gone_second', { dependsOn: ['first'] })]
    const gateway = await gatewayWith({ one, gone }, [{ name: 'flow', steps }])
    const running = (await callerOf(era, gateway.url)).call('flow')
    await long.started
    await gateway.reload(configOf({ one }, []))
    expect(textIn(await running.result())).toMatch(/no longer fits .*"gone_second".*No step had ended\./)
    await long.cancelled
  })
})

test('a run of a workflow that a reload has removed cannot be gone on with', async () => {
  const backend = await toolBackend({ before: same, after: same })
  const gateway = await gatewayWith(backend, [FLOW])
  const running = (await callerOf('modern', gateway.url)).call('flow', HELLO.arguments)
  await running.questions(1)
  await gateway.reload(configOf(backend, []))
  await running.answer(YES)
  expect(await running.response()).toMatchObject({ error: { code: -32602, message: 'Unknown tool: flow' } })
  // Until it is there again.
  await gateway.reload(configOf(backend, [FLOW]))
  const again = (await callerOf('modern', gateway.url)).call('flow', HELLO.arguments)
  await again.questions(1)
  await again.answer(YES)
  expect(statusesIn(await again.result())).toEqual(COMPLETED)
})

describe('a restart in the middle', () => {
  /** Suspended at a first gateway, which then ends unless it is to stay. */
  async function suspended(config: JsonObject = {}, stays = false) {
    const backend = await toolBackend({ before: same, after: same })
    const stateFolder = folder()
    const start = () => gatewayWith(backend, [FLOW], { ...FILE, ...config }, { stateFolder })
    const first = await start()
    const asked = await retry(first.url, 'flow', HELLO)
    if (!stays) await first.close()
    return { backend, stateFolder, first, start, asked, again: { ...HELLO, ...roundOf(asked, YES) } }
  }

  test('a run that waits goes on in the next process, with the same state', async () => {
    const { backend, start, again } = await suspended()
    const { url } = await start()
    const result = await retry(url, 'flow', again)
    expect(result).toMatchObject(DONE)
    expect(statusesIn(resultOf(result))).toEqual(COMPLETED)
    expect(await retry(url, 'flow', again)).toMatchObject(DONE)
    expect([backend.calls('before'), backend.calls('after')].map(({ length }) => length)).toEqual([1, 1])
  })

  test('what came of a run is told by the next process too', async () => {
    const { first, start, again } = await suspended({}, true)
    const result = resultOf(await retry(first.url, 'flow', again))
    await first.close()
    const { url } = await start()
    const repeated = resultOf(await retry(url, 'flow', again))
    expect(repeated).toEqual({ ...result, _meta: repeated['_meta'] })
    expect(statusesIn(repeated)).toEqual(COMPLETED)
  })

  test('without a file a run ends with its process', async () => {
    const { backend, start, again } = await suspended({ workflowStorage: { provider: 'memory' } })
    const { url } = await start()
    expect(await retry(url, 'flow', again)).toMatchObject({ error: { code: -32602 } })
    expect(backend.calls('after')).toEqual([])
  })

  test('another definition in the next process is no matter to the run', async () => {
    const { backend, stateFolder, again } = await suspended()
    const other = { ...FLOW, steps: [call('other', 'before')] }
    const { url } = await gatewayWith(backend, [other], FILE, { stateFolder })
    expect(statusesIn(resultOf(await retry(url, 'flow', again)))).toEqual(COMPLETED)
  })

  test('two processes that share the folder: either goes on with the run', async () => {
    const { backend, start, again } = await suspended({}, true)
    const second = await start()
    expect(await retry(second.url, 'flow', again)).toMatchObject(DONE)
    expect(backend.calls('after')).toHaveLength(1)
  })

  test('two processes that are answered at once: one wins, and the steps run once', async () => {
    const { backend, first, start, asked, again } = await suspended({}, true)
    const second = await start()
    const declined = { ...HELLO, ...roundOf(asked, DECLINE) }
    const responses = await Promise.all([retry(first.url, 'flow', declined), retry(second.url, 'flow', again)])
    const [lost, ...more] = responses.filter(({ error }) => error !== undefined)
    expect(more).toEqual([])
    expect(lost).toMatchObject({ error: { code: -32602, message: expect.stringContaining('no run waits') } })
    expect(backend.calls('after')).toHaveLength(responses[1] === lost ? 0 : 1)
  })

  test('two processes that get the same answer at once both tell what came of it', async () => {
    const { backend, first, start, again } = await suspended({}, true)
    const second = await start()
    const responses = await Promise.all([first, second].map(({ url }) => retry(url, 'flow', again)))
    for (const response of responses) expect(response).toMatchObject(DONE)
    expect(backend.calls('after')).toHaveLength(1)
  })

  test('three processes that are answered in every way at once: equal answers are told the same, steps run once', async () => {
    const backend = await toolBackend({ before: same, after: same })
    const stateFolder = folder()
    const start = () => gatewayWith(backend, [FLOW], FILE, { stateFolder })
    const gateways = [await start(), await start(), await start()]
    const runs = Array.from({ length: 20 }, async (_, index) => {
      const call = { arguments: { text: `run ${index}` } }
      const asked = await retry(gateways[index % 3]!.url, 'flow', call)
      const answers = [YES, DECLINE, YES, DECLINE, YES, DECLINE]
      const responses = await Promise.all(
        answers.map((answer, at) =>
          retry(gateways[(index + at + (at >> 1)) % 3]!.url, 'flow', { ...call, ...roundOf(asked, answer) }),
        ),
      )
      const told = responses.map(({ result }) => (result ? JSON.stringify((result as Result).content) : 'refused'))
      const [accepted, declined] = [0, 1].map((which) => new Set(told.filter((_, at) => at % 2 === which)))
      expect([accepted?.size, declined?.size]).toEqual([1, 1])
      expect(accepted?.has('refused')).toBe(!declined?.has('refused'))
    })
    await Promise.all(runs)
    const texts = backend.given('after').map((args) => (args as JsonObject)['text'])
    expect(new Set(texts).size).toBe(texts.length)
  })

  test('a run whose caller waits when the process ends is interrupted, and never goes on', async () => {
    const long = slow()
    const { backend, first, start, again } = await suspended({}, true)
    backend.tools['after'] = long.tool
    const waiting = retry(first.url, 'flow', again)
    waiting.catch(() => {})
    await long.started
    await first.close()
    await long.cancelled
    const second = await start()
    const result = resultOf(await retry(second.url, 'flow', again))
    expect(textIn(result)).toMatch(/^Workflow "flow" was interrupted/)
    expect(statusesIn(result)).toMatchObject({ before: 'completed', sure: 'completed' })
    expect(statusesIn(result)['after']).not.toBe('completed')
    expect(backend.calls('after')).toHaveLength(1)
  })

  test('nothing of what it carries lies open in the folder', async () => {
    const { stateFolder } = await suspended()
    const files = readdirSync(stateFolder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    const paths = files.map(({ parentPath, name }) => join(parentPath, name))
    expect(paths.some((path) => path.includes('workflows'))).toBe(true)
    for (const path of paths) {
      expect(statSync(path).mode & 0o077, path).toBe(0)
      expect(readFileSync(path).includes('hello'), path).toBe(false)
    }
  })
})

describe('with users', () => {
  const RESOURCE = 'https://mcp.example/mcp'
  /** For so many seconds after its end a token is still good: clocks differ. */
  const GRACE = 30
  let provider: RunningProvider
  beforeAll(async () => {
    provider = await startProvider()
    provider.resources.set(RESOURCE, { format: 'jwt', alg: 'RS256', scope: 'mcp' })
  })
  afterAll(() => provider.close())

  const oidc = (policies: string[] = ['permit(principal, action, resource);']): JsonObject => ({
    publicUrl: RESOURCE,
    incomingAuth: {
      type: 'oidc',
      oidc: { issuer: provider.issuer, insecureAllowHttp: true, jwksAllowPrivateIp: true },
      authz: { type: 'cedar', policies },
    },
  })

  /** A token of alice, good for so long, with claims of the test's choice. */
  const tokenFor = (seconds: number, claims: JsonObject = {}) => {
    const now = Date.now() / 1000
    const all = {
      iss: provider.issuer,
      sub: 'alice',
      aud: RESOURCE,
      client_id: 'c',
      scope: 'mcp',
      iat: now,
      exp: now + seconds,
    }
    return provider.keys.get('RS256')!.mint({ ...all, ...claims })
  }

  test('a token that expires in the middle fails the steps that are left, with a name', async () => {
    const long = slow()
    const backend = await toolBackend({ first: long.tool, second: same })
    const steps = [call('first', 'first'), call('second', 'second', { dependsOn: ['first'] })]
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps }], oidc())
    const running = retry(gateway.url, 'flow', {}, { token: await tokenFor(1 - GRACE) })
    await long.started
    await new Promise((resolve) => setTimeout(resolve, 1000))
    long.finish()
    const result = resultOf(await running)
    expect(textIn(result)).toMatch(/^Workflow "flow" failed at step "second": CREDENTIAL_EXPIRED: /)
    expect(statusesIn(result)).toEqual({ first: 'completed', second: 'failed' })
    expect(backend.calls('second')).toEqual([])
  })

  test('a run goes on with the token of the answer, and its claims', async () => {
    const backend = await toolBackend({ before: same, after: same })
    const policies = [
      'permit(principal, action, resource) unless { resource == Tool::"after" };',
      'permit(principal, action, resource == Tool::"after") when { principal has claim_level && principal.claim_level == "high" };',
    ]
    const gateway = await gatewayWith(backend, [FLOW], oidc(policies))
    const tokens = [await tokenFor(600), await tokenFor(600, { level: 'high' })]
    for (const [index, expected] of ['failed', 'completed'].entries()) {
      const asked = await retry(gateway.url, 'flow', HELLO, { token: await tokenFor(600) })
      const answered = await retry(gateway.url, 'flow', { ...HELLO, ...roundOf(asked, YES) }, { token: tokens[index]! })
      expect(statusesIn(resultOf(answered))).toEqual({ ...COMPLETED, after: expected })
    }
    expect(backend.calls('after')).toHaveLength(1)
  })
})

test('the history tells of runs that have ended', async () => {
  const backend = await toolBackend({ before: same, after: same })
  const gateway = await gatewayWith(backend, [FLOW])
  const client = await callerOf('modern', gateway.url)
  for (const answer of [YES, DECLINE]) {
    const running = client.call('flow', HELLO.arguments)
    await running.questions(1)
    await running.answer(answer)
    await running.result()
  }
  const runs = await gateway.gateway.runs.list({}, ANONYMOUS)
  expect(runs).toMatchObject([
    { workflow: 'flow', status: 'failed', failure: { kind: 'unanswered', step: 'sure' } },
    { workflow: 'flow', status: 'completed' },
  ])
})
