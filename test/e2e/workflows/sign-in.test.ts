import { describe, expect, onTestFinished, test } from 'vitest'

import type { JsonObject } from '../../../src/model/json.ts'
import { startGateway, type TestGateway } from '../../support/gateway.ts'
import { Browser } from '../../support/http-browser.ts'
import { startProvider } from '../../support/oidc/provider.ts'
import { tokenBackend } from '../../support/token-backend.ts'
import { approval, call, folder } from './world.ts'
import { callerOf, ERAS, namesOf, statusesIn, textIn, YES } from './callers.ts'

const FLOW: JsonObject = {
  name: 'flow',
  steps: [
    call('first', 'mail.whoami'),
    approval('sure', { dependsOn: ['first'] }),
    call('second', 'whoami', { dependsOn: ['sure'] }),
  ],
}
const COMPLETED = { first: 'completed', sure: 'completed', second: 'completed' }

/** A backend that lets its users in alone. */
async function world(more: JsonObject = {}): Promise<TestGateway> {
  const provider = await startProvider(undefined, { scopes: ['mail'], refreshes: true })
  onTestFinished(() => provider.close())
  const userOf = (token: string): string => {
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { sub: string }
    return claims.sub
  }
  const backend = await tokenBackend({ era: 'legacy', issuer: provider.issuer, scopes: ['mail'], userOf })
  provider.resources.set(backend.url, { format: 'jwt', scope: 'mail' })
  const stateFolder = folder()
  const gateway = await startGateway(
    {
      backends: [{ name: 'mail', url: backend.url }],
      outgoingAuth: { backends: { mail: { type: 'authorization_code', authorizationCode: {} } } },
      compositeTools: [FLOW],
      ...more,
    },
    { stateFolder },
  )
  onTestFinished(() => gateway.close())
  return gateway
}

describe.each(ERAS)('a %s client', (era) => {
  test('whose user has not signed in is sent to sign in, and then the workflow begins', async () => {
    const gateway = await world()
    const client = await callerOf(era, gateway.url)
    expect(namesOf(await client.tools())).toEqual(['sign_in'])
    const running = client.call('flow')
    const [page] = await running.questions(1)
    expect(page?.params).toMatchObject({ mode: 'url', message: expect.stringContaining('mail') })
    await new Browser('alice').open(page!.params['url'] as string)
    await running.answer({ action: 'accept' })
    // The same call goes on, and comes to its own question.
    await expect.poll(async () => (await running.questions()).map(({ params }) => params['message'])).toEqual(['sure?'])
    await running.answer(YES)
    expect(statusesIn(await running.result())).toEqual(COMPLETED)
    expect(await running.result()).toMatchObject({ structuredContent: { text: 'alice' } })
    expect(namesOf(await client.tools())).toEqual(['flow', 'of_alice', 'whoami'])
  })

  test('finds the way in although only workflows are shown', async () => {
    const gateway = await world({ aggregation: { excludeAllTools: true } })
    const client = await callerOf(era, gateway.url)
    const running = client.call('flow')
    const [page] = await running.questions(1)
    await new Browser('alice').open(page!.params['url'] as string)
    await running.answer({ action: 'accept' })
    await expect.poll(async () => (await running.questions()).map(({ params }) => params['message'])).toEqual(['sure?'])
    await running.answer(YES)
    expect(statusesIn(await running.result())).toEqual(COMPLETED)
    expect(namesOf(await client.tools())).toEqual(['flow'])
  })

  test('that cannot be sent to an address reads it', async () => {
    const gateway = await world()
    const client = await callerOf(era, gateway.url, {})
    const result = await client.call('flow').result()
    expect(result).toMatchObject({ isError: true })
    expect(textIn(result)).toMatch(
      /needs you to sign in: open http:\/\/127\.0\.0\.1:\d+\/oauth\/connect\?ticket=\S+ in a browser/,
    )
  })
})

test('a workflow whose tools nobody is shown without a sign-in is not told as one that is wrong', async () => {
  const gateway = await world()
  await callerOf('modern', gateway.url).then((client) => client.tools())
  expect(gateway.events.filter(({ name }) => name === 'workflow.withdrawn')).toEqual([])
})
