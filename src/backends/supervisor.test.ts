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

const consent = new ConsentNeeded('sign in', {
  url: 'https://gateway.example/oauth/connect',
  id: 'e',
  settled: new Promise(() => {}),
})

test('a server that only its user can open is there, and offers the sign-in', async () => {
  const supervisor = scene(async () => {
    throw consent
  })
  supervisor.start()
  await vi.advanceTimersByTimeAsync(1)
  expect(supervisor.state.kind).toBe('ready')
  expect(supervisor.closed).toBe(consent)
  expect(supervisor.listing?.lists.tools).toMatchObject([{ name: 'sign_in', title: 'Sign in to mail' }])
  const { lists } = supervisor.listing!
  supervisor.connect()
  await vi.advanceTimersByTimeAsync(1)
  expect(supervisor.listing?.lists).toBe(lists)
  await supervisor.revive(new Cancellation())
  await supervisor.close()
})

test('one that goes away after that is away', async () => {
  let isThere = true
  const supervisor = scene(async () => {
    throw isThere ? consent : new GatewayError('BACKEND_UNREACHABLE', 'gone')
  })
  supervisor.start()
  await vi.advanceTimersByTimeAsync(1)
  isThere = false
  supervisor.connect()
  await vi.advanceTimersByTimeAsync(1)
  expect(supervisor.state).toMatchObject({ kind: 'failing', fault: { message: 'gone' } })
  expect(supervisor.closed).toBeUndefined()
  await supervisor.close()
})
