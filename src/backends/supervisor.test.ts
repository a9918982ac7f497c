import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { BackendSpec } from '../model/backend.ts'
import { Cancellation } from '../model/cancellation.ts'
import { ConsentNeeded } from '../model/credential.ts'
import { GatewayError } from '../model/errors.ts'
import { Telemetry } from '../telemetry/events.ts'
import type { Connections } from './connections/connections.ts'
import { Supervisor } from './supervisor.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A supervisor whose attempts to connect end as told. */
function scene(connect: () => Promise<never>) {
  const connections = { own: connect, perCaller: false, forgetEras: () => {} } as unknown as Connections
  const spec = { id: 'mail', endpoint: { kind: 'http', url: 'https://mail.example/mcp' } } as unknown as BackendSpec
  const told = { onRecovery: () => {}, onNewLists: () => {}, listen: () => {} }
  return new Supervisor(spec, connections, new Telemetry(), told)
}

test('once the user is back from the page nobody is sent there, and calls wait for what comes of it', async () => {
  const { promise: settled, resolve: settle } = Promise.withResolvers<void>()
  const consent = new ConsentNeeded('sign in', { url: 'https://gateway.example/oauth/connect', id: 'e', settled })
  let isBack = false
  const supervisor = scene(async () => {
    if (!isBack) throw consent
    await new Promise((resolve) => setTimeout(resolve, 3000))
    throw new GatewayError('BACKEND_UNREACHABLE', 'gone')
  })
  supervisor.start()
  await vi.advanceTimersByTimeAsync(1)
  await expect(supervisor.revive(new Cancellation())).rejects.toBe(consent)
  isBack = true
  settle()
  await vi.advanceTimersByTimeAsync(1)
  const call = supervisor.revive(new Cancellation())
  call.catch(() => {})
  await vi.advanceTimersByTimeAsync(3000)
  await expect(call).rejects.toMatchObject({ code: 'BACKEND_UNREACHABLE', message: 'gone' })
  await supervisor.close()
})

test('a user who could not sign in gets a link that works', async () => {
  const consents = ['first', 'second'].map((id) => {
    const { promise: settled, resolve: settle } = Promise.withResolvers<void>()
    const url = `https://gateway.example/oauth/connect?ticket=${id}`
    return { settle, error: new ConsentNeeded('sign in', { url, id, settled }) }
  })
  let current = 0
  const supervisor = scene(async () => {
    throw consents[current]?.error ?? new Error('nobody is to be asked a third time')
  })
  supervisor.start()
  await vi.advanceTimersByTimeAsync(1)
  current = 1
  consents[0]?.settle()
  await vi.advanceTimersByTimeAsync(1)
  expect(supervisor.state).toMatchObject({
    fault: { hint: 'open https://gateway.example/oauth/connect?ticket=second' },
  })
  await expect(supervisor.revive(new Cancellation())).rejects.toBe(consents[1]?.error)
  await supervisor.close()
})
