import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import type { Peer } from '../support/clients.ts'
import { connectHttp } from '../support/clients.ts'
import { startGateway } from '../support/gateway.ts'
import { waitFor } from '../support/processes.ts'

const STDIO_BACKEND = fileURLToPath(new URL('../support/stdio-backend.ts', import.meta.url))

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const names = async (peer: Peer) => (await peer.client.listTools()).tools.map(({ name }) => name)

describe.each(['legacy', 'modern'] as const)('a %s process that adds a tool for one session', (era) => {
  async function start() {
    const gateway = await startGateway({
      backends: [{ name: 'fixture', command: process.execPath, args: [STDIO_BACKEND, JSON.stringify({ era })] }],
    })
    open.push(() => gateway.close())
    const connect = async () => {
      const peer = await connectHttp('SDK v1, legacy', gateway.url)
      open.push(() => peer.close())
      return peer
    }
    return { gateway, one: await connect(), other: await connect() }
  }

  test('shows it to that session, callable, and to nobody else', async () => {
    const { one, other } = await start()
    expect(await names(one)).not.toContain('late')
    await one.call({ name: 'change' })
    await waitFor(async () => (await names(one)).includes('late'))
    expect(await one.call({ name: 'late' })).toMatchObject({ content: [{ type: 'text' }] })
    expect(await names(other)).not.toContain('late')
    await expect(other.call({ name: 'late' })).rejects.toThrow(/Unknown tool/)
  })

  test('tells that session and nobody else', async () => {
    const { one, other } = await start()
    await one.call({ name: 'change' })
    const told = (peer: Peer) => peer.received.filter(({ method }) => method === 'notifications/tools/list_changed')
    await waitFor(() => told(one).length > 0)
    expect(told(other)).toEqual([])
  })

  test('forgets it with the session', async () => {
    const { gateway, one } = await start()
    await one.call({ name: 'change' })
    await waitFor(async () => (await names(one)).includes('late'))
    await one.terminate()
    const { backends } = gateway.gateway.current
    await waitFor(() => backends.every((backend) => backend.apart.length === 0))
  })
})
