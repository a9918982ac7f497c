import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client as Sdk1 } from '@modelcontextprotocol/sdk/client/index.js'
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { expect, onTestFinished, test } from 'vitest'

import type { JsonObject } from '../../../src/model/json.ts'
import { type Client, connectStdio, textOf } from '../../support/clients.ts'
import { startCommandLine } from '../../support/command-line.ts'
import { approval, call, configOf, folder, same, slow, toolBackend } from './world.ts'
import { retry, roundOf, statusesIn, textIn, type Result, YES } from './callers.ts'

const MAIN = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url))

const FLOW: JsonObject = {
  name: 'flow',
  steps: [
    call('before', 'before'),
    approval('sure', { dependsOn: ['before'] }),
    call('after', 'after', { dependsOn: ['sure'] }),
  ],
}
const COMPLETED = { before: 'completed', sure: 'completed', after: 'completed' }

async function installed(more: JsonObject = {}) {
  const backend = await toolBackend({ before: same, after: same })
  const state = folder()
  const file = join(state, 'vmcp.json')
  writeFileSync(file, JSON.stringify(configOf(backend, [FLOW], more)))
  return { backend, file, env: { XDG_STATE_HOME: state } }
}

test('a run that waits survives the sudden death of the gateway', async () => {
  const { backend, file, env } = await installed({ workflowStorage: { provider: 'file' } })
  const serve = () => {
    const line = startCommandLine(['serve', file, '--port', '0'], env)
    onTestFinished(() => line.end())
    return line
  }
  const first = serve()
  const round = roundOf(await retry(await first.url(), 'flow', {}), YES)
  await first.end()
  const { result } = await retry(await serve().url(), 'flow', round)
  expect(statusesIn(result as JsonObject)).toEqual(COMPLETED)
  expect([backend.calls('before'), backend.calls('after')].map(({ length }) => length)).toEqual([1, 1])
})

test('a run whose caller waits when the gateway is told to stop is told so', async () => {
  const { backend, file, env } = await installed({ workflowStorage: { provider: 'file' } })
  const long = slow()
  backend.tools['after'] = long.tool
  const line = startCommandLine(['serve', file, '--port', '0'], env)
  onTestFinished(() => line.end())
  const url = await line.url()
  const running = retry(url, 'flow', roundOf(await retry(url, 'flow', {}), YES))
  await long.started
  line.signal('SIGTERM')
  // Work that ends in time is not cut.
  long.finish({ done: true })
  expect(textIn((await running)['result'] as Result)).toBe('{"done":true}')
  expect(await line.exited).toBe(0)
})

test.each(['SDK v1, legacy', 'SDK v2, modern'] as const)('over stdio, with %s', async (kind) => {
  const { file, env } = await installed()
  const messages: unknown[] = []
  const peer = await connectStdio(
    kind,
    [MAIN, 'serve', file, '--transport', 'stdio'],
    (client: Client) => {
      const handle = ({ params }: { params: { message: string } }) => {
        messages.push(params.message)
        return YES as never
      }
      client.registerCapabilities({ elicitation: {} })
      if (client instanceof Sdk1) client.setRequestHandler(ElicitRequestSchema, handle)
      else client.setRequestHandler('elicitation/create', handle)
    },
    { env },
  )
  onTestFinished(() => peer.close())
  const result = await peer.call({ name: 'flow', arguments: {} })
  expect(textOf(result)).toBe('{}')
  expect(statusesIn(result as JsonObject)).toEqual(COMPLETED)
  expect(messages).toEqual(['sure?'])
})
