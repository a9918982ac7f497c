import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/model/json.ts'
import type { Events } from '../../src/telemetry/events.ts'
import type { Peer } from '../support/clients.ts'
import { connectHttp, textOf } from '../support/clients.ts'
import type { TestGateway } from '../support/gateway.ts'
import { startGateway } from '../support/gateway.ts'
import { startHttpBackend } from '../support/http-backend.ts'
import { descendants, isAlive, waitFor } from '../support/processes.ts'
import { ECHO_TOOL } from '../support/script.ts'

const STDIO_BACKEND = fileURLToPath(new URL('../support/stdio-backend.ts', import.meta.url))

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const stdio = (options: JsonObject, more: JsonObject = {}): JsonObject => ({
  name: 'fixture',
  command: process.execPath,
  args: [STDIO_BACKEND, JSON.stringify(options)],
  ...more,
})

async function gatewayOf(...backends: JsonObject[]): Promise<TestGateway> {
  const gateway = await startGateway({ backends })
  open.push(() => gateway.close())
  return gateway
}

async function clientOf(gateway: TestGateway): Promise<Peer> {
  const peer = await connectHttp('SDK v1, legacy', gateway.url)
  open.push(() => peer.close())
  return peer
}

const ask = async (peer: Peer, name: string) => textOf(await peer.call({ name, arguments: { text: 'hi' } }))
const failures = (gateway: TestGateway) =>
  gateway.events.flatMap(({ name, data }) =>
    name === 'backend.failing' ? [(data as Events['backend.failing']).fault] : [],
  )

describe('one session', () => {
  test('that crashes its process leaves the others theirs', async () => {
    const gateway = await gatewayOf(stdio({ era: 'legacy' }))
    const [one, other] = [await clientOf(gateway), await clientOf(gateway)]
    const pids = [await ask(one, 'pid'), await ask(other, 'pid')]
    await one.call({ name: 'crash' }).catch(() => {})
    expect(await ask(other, 'pid')).toBe(pids[1])
    expect((await other.client.listTools()).tools.map(({ name }) => name)).toContain('pid')
    expect(failures(gateway)).toEqual([])
    expect(await ask(one, 'pid')).not.toBe(pids[0])
  })

  test('never reads what a process wrote for another', async () => {
    const gateway = await gatewayOf(stdio({ era: 'legacy', chatter: 'secret of A: hunter2' }))
    const [one, other] = [await clientOf(gateway), await clientOf(gateway)]
    await ask(one, 'pid')
    const texts = [textOf(await one.call({ name: 'crash' })), textOf(await other.call({ name: 'crash' }))]
    expect(texts.join()).toContain('exited with code 3')
    expect(texts.join()).not.toContain('hunter2')
    await waitFor(() => failures(gateway).some(({ detail }) => detail?.includes('hunter2')))
  })
})

describe('a connection that never opens', () => {
  test('does not keep the gateway from ending, nor its process alive', async () => {
    const gateway = await startGateway({ backends: [stdio({ era: 'legacy', hang: ['initialize'] })] })
    await waitFor(() => descendants(process.pid).length > 0)
    const started = Date.now()
    await gateway.close()
    expect(Date.now() - started).toBeLessThan(6000)
  })

  test('of one session is given up when the session ends', async () => {
    const backend = await startHttpBackend({ era: 'legacy', tools: [ECHO_TOOL] })
    open.push(() => backend.close())
    const gateway = await gatewayOf({ name: 'fixture', url: backend.url })
    const peer = await clientOf(gateway)
    expect((await peer.client.listTools()).tools).toHaveLength(1)
    backend.script.hang = ['initialize']
    const call = peer.call({ name: 'echo', arguments: { text: 'hi' } }).catch((error: unknown) => error)
    await waitFor(() => backend.count('initialize') > 1)
    await peer.terminate()
    await waitFor(() => backend.abandoned.some(({ method }) => method === 'initialize'))
    await call
  })
})

test('a server that never ends its answer to notifications/initialized is served', async () => {
  const backend = await startHttpBackend({ era: 'legacy', tools: [ECHO_TOOL] })
  open.push(() => backend.close())
  backend.script.endlessAccept = true
  const gateway = await gatewayOf({ name: 'fixture', url: backend.url })
  expect(await ask(await clientOf(gateway), 'echo')).toBe('hi')
})

test('a shared process stays one, whatever comes at once', async () => {
  const gateway = await gatewayOf(stdio({ era: 'legacy' }, { sharing: 'shared' }))
  const peers = await Promise.all([clientOf(gateway), clientOf(gateway), clientOf(gateway)])
  const before = await ask(peers[0], 'pid')
  await Promise.allSettled(peers.map((peer) => peer.call({ name: 'crash' })))
  const pids = await Promise.all(peers.map((peer) => ask(peer, 'pid')))
  expect(new Set(pids).size).toBe(1)
  expect(pids[0]).not.toBe(before)
  await gateway.close()
  expect(isAlive(Number(pids[0]))).toBe(false)
})

test('an address that cannot be read is a fault of that backend', async () => {
  const gateway = await gatewayOf(stdio({ era: 'legacy' }), { name: 'odd', url: 'http://${VMCP_TEST_UNSET}:1/mcp' })
  expect(await ask(await clientOf(gateway), 'fixture_pid')).toMatch(/^\d+$/)
  expect(
    failures(gateway)
      .map(({ message }) => message)
      .join(),
  ).toContain('VMCP_TEST_UNSET')
})
