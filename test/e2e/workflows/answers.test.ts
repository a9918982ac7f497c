import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { JsonObject } from '../../../src/model/json.ts'
import { startProvider, type RunningProvider } from '../../support/oidc/provider.ts'
import { approval, call, gatewayWith, same, slow, toolBackend } from './world.ts'
import { DECLINE, retry, roundOf, YES } from './callers.ts'

const RESOURCE = 'https://mcp.example/mcp'

let provider: RunningProvider
beforeAll(async () => {
  provider = await startProvider()
  provider.resources.set(RESOURCE, { format: 'jwt', alg: 'RS256', scope: 'mcp' })
})
afterAll(() => provider.close())

const WORKFLOW: JsonObject = {
  name: 'ask',
  parameters: { type: 'object', properties: { to: { type: 'string' } } },
  steps: [approval('sure'), call('push', 'push', { dependsOn: ['sure'], arguments: { to: '{{params.to}}' } })],
}
const HOME = { arguments: { to: 'home' } }

async function asked(config: JsonObject = {}, token?: string) {
  const backend = await toolBackend({ push: same })
  const gateway = await gatewayWith(backend, [WORKFLOW], config)
  const first = await retry(gateway.url, 'ask', HOME, token === undefined ? {} : { token })
  return { backend, url: gateway.url, first, again: { ...HOME, ...roundOf(first, YES) } }
}

const REFUSED = { code: -32602, message: expect.stringContaining('no run waits for these answers') }
/** Without what differs from request to request. */
const outcome = ({ result, error }: JsonObject): JsonObject => ({ result: result ?? null, error: error ?? null })

describe('a retry with answers', () => {
  test('that comes once more gets what came of the first, and runs nothing', async () => {
    const { backend, url, again } = await asked()
    const first = await retry(url, 'ask', again)
    expect(first).toMatchObject({ result: { structuredContent: { to: 'home' } } })
    for (let times = 0; times < 2; times++) expect(outcome(await retry(url, 'ask', again))).toEqual(outcome(first))
    expect(backend.calls('push')).toHaveLength(1)
  })

  test('that says something else afterwards is refused', async () => {
    const { backend, url, first, again } = await asked()
    await retry(url, 'ask', again)
    expect(await retry(url, 'ask', { ...HOME, ...roundOf(first, DECLINE) })).toMatchObject({ error: REFUSED })
    expect(await retry(url, 'ask', { ...again, inputResponses: {} })).toMatchObject({ error: REFUSED })
    expect(backend.calls('push')).toHaveLength(1)
  })

  test('by two at once: one wins, and the steps run once', async () => {
    const { backend, url, first, again } = await asked()
    const other = { ...HOME, ...roundOf(first, DECLINE) }
    const outcomes = await Promise.all([retry(url, 'ask', again), retry(url, 'ask', other)])
    const [won, lost] = outcomes[0]?.['result'] ? outcomes : outcomes.toReversed()
    expect(lost).toMatchObject({ error: REFUSED })
    const calls = won === outcomes[0] ? 1 : 0
    expect(backend.calls('push')).toHaveLength(calls)
  })

  test('that is the same from two at once is answered to both, and the steps run once', async () => {
    const { backend, url, again } = await asked()
    const outcomes = await Promise.all([retry(url, 'ask', again), retry(url, 'ask', again)])
    expect(outcome(outcomes[0])).toEqual(outcome(outcomes[1]))
    expect(outcomes[0]).toMatchObject({ result: { structuredContent: { to: 'home' } } })
    expect(backend.calls('push')).toHaveLength(1)
  })

  test('that comes while the first still runs waits for what comes of it', async () => {
    const { backend, url, again } = await asked()
    const long = slow()
    backend.tools['push'] = long.tool
    const first = retry(url, 'ask', again)
    await long.started
    const second = retry(url, 'ask', again)
    long.finish({ done: true })
    expect(outcome(await second)).toEqual(outcome(await first))
    expect(await first).toMatchObject({ result: { structuredContent: { done: true } } })
  })

  test('without answers gets the questions again', async () => {
    const { url, first, again } = await asked()
    const { requestState } = again
    const repeated = await retry(url, 'ask', { ...HOME, requestState })
    expect(repeated).toMatchObject({
      result: { resultType: 'input_required', inputRequests: (first['result'] as JsonObject)['inputRequests'] },
    })
    expect(await retry(url, 'ask', { ...HOME, ...roundOf(repeated, YES) })).toMatchObject({
      result: { structuredContent: { to: 'home' } },
    })
  })

  test('whose state is not its own is refused, and the run waits on', async () => {
    const { backend, url, again } = await asked()
    const { requestState, inputResponses } = again
    const wrong: JsonObject[] = [
      { ...again, arguments: { to: 'away' } },
      { ...again, requestState: `${requestState.slice(0, -1)}${requestState.endsWith('A') ? 'B' : 'A'}` },
      { ...again, requestState: 'garbage' },
      { ...again, requestState: { run: 1 } },
      { ...HOME, inputResponses },
    ]
    for (const round of wrong) expect(await retry(url, 'ask', round)).toMatchObject({ error: REFUSED })
    // Of another gateway, which has a key of its own.
    expect(await retry(url, 'ask', { ...HOME, ...(await asked()).again })).toMatchObject({ error: REFUSED })
    expect(backend.calls('push')).toEqual([])
    expect(await retry(url, 'ask', again)).toMatchObject({ result: { structuredContent: { to: 'home' } } })
  })

  test.each<[string, unknown]>([
    ['a question that was not asked', { 'someone@1': YES }],
    ['nothing that is an object', 'yes'],
    ['no known action', { KEY: { action: 'perhaps' } }],
    ['no action', { KEY: {} }],
    ['a list', { KEY: [] }],
    ['no content', { KEY: { action: 'accept' } }],
  ])('that answers %s is refused or asked again, and the run waits on', async (_what, answers) => {
    const { backend, url, again } = await asked()
    const [key] = Object.keys(again.inputResponses)
    const inputResponses = JSON.parse(JSON.stringify(answers).replace('KEY', key ?? '')) as JsonObject
    const response = await retry(url, 'ask', { ...again, inputResponses })
    if (response['error']) expect(response).toMatchObject({ error: { code: -32602 } })
    else expect(response).toMatchObject({ result: { resultType: 'input_required' } })
    expect(backend.calls('push')).toEqual([])
    expect(await retry(url, 'ask', again)).toMatchObject({ result: { structuredContent: { to: 'home' } } })
  })

  test('by another user is refused, and the first may still answer', async () => {
    const oidc = { issuer: provider.issuer, insecureAllowHttp: true, jwksAllowPrivateIp: true }
    const [alice, bob] = await Promise.all(['alice', 'bob'].map((user) => provider.userToken(RESOURCE, user, 'mcp')))
    const { backend, url, again } = await asked({ publicUrl: RESOURCE, incomingAuth: { type: 'oidc', oidc } }, alice)
    expect(await retry(url, 'ask', again, { token: bob! })).toMatchObject({ error: REFUSED })
    expect(backend.calls('push')).toEqual([])
    // Another token of the same user is the same user.
    const token = await provider.userToken(RESOURCE, 'alice', 'mcp')
    expect(await retry(url, 'ask', again, { token })).toMatchObject({ result: { structuredContent: { to: 'home' } } })
  })
})
