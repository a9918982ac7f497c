import { describe, expect, test } from 'vitest'

import { isObject } from '../../../src/model/json.ts'
import { waitFor } from '../../support/processes.ts'
import { META } from '../../support/script.ts'
import { approval, call, gatewayWith, listed, same, slow, toolBackend } from './world.ts'
import { callerOf, ERAS, namesOf, statusesIn, textIn, YES } from './callers.ts'

const DEPLOY = listed('deploy', {
  inputSchema: { type: 'object', properties: { count: { type: 'integer' } }, required: ['count'] },
})

/** It shows `deploy` to those only who can be asked. */
async function choosy() {
  const long = slow()
  const backend = await toolBackend({ deploy: same, long: long.tool }, { era: 'modern' })
  backend.script.tools = [DEPLOY, listed('long')]
  backend.script.methods = {
    'tools/list': ({ params: { _meta } }) => {
      const capabilities = isObject(_meta) ? _meta[META.capabilities] : undefined
      const able = isObject(capabilities) && capabilities['elicitation']
      return { tools: (backend.script.tools ?? []).slice(able ? 0 : 1) }
    },
  }
  return { backend, long }
}

describe.each(ERAS)('a tool that only some %s clients see', (era) => {
  const steps = [approval('sure'), call('deploy', 'deploy', { dependsOn: ['sure'], arguments: { count: '100' } })]

  test('makes a workflow for them alone', async () => {
    const { backend } = await choosy()
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps }])
    const able = await callerOf(era, gateway.url)
    expect(namesOf(await able.tools())).toEqual(['deploy', 'flow', 'long'])
    const unable = await callerOf(era, gateway.url, {})
    expect(namesOf(await unable.tools())).toEqual(['long'])
    expect(textIn(await unable.call('flow').result())).toContain('there is no tool "deploy"')
  })

  test('is there when the run goes on after a question, with its types', async () => {
    const { backend } = await choosy()
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps }])
    const running = (await callerOf(era, gateway.url)).call('flow')
    await running.questions(1)
    await running.answer(YES)
    expect(statusesIn(await running.result())).toEqual({ sure: 'completed', deploy: 'completed' })
    expect(backend.given('deploy')).toEqual([{ count: 100 }])
  })

  test('is there when the tools of others change meanwhile', async () => {
    const { backend, long } = await choosy()
    const own = [call('long', 'long'), call('deploy', 'deploy', { dependsOn: ['long'], arguments: { count: '100' } })]
    const gateway = await gatewayWith(backend, [{ name: 'flow', steps: own }])
    const client = await callerOf(era, gateway.url)
    const running = client.call('flow')
    await long.started
    backend.change('tools', [DEPLOY, listed('long'), listed('more')])
    await waitFor(async () => namesOf(await client.tools()).includes('more'))
    await waitFor(() => gateway.gateway.current.keeper.catalogue.tools.has('more'))
    long.finish()
    expect(statusesIn(await running.result())).toEqual({ long: 'completed', deploy: 'completed' })
    expect(backend.given('deploy')).toEqual([{ count: 100 }])
  })
})
