import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Cancellation } from '../../../model/cancellation.ts'
import { ANONYMOUS } from '../../../model/principal.ts'
import { Telemetry } from '../../../telemetry/events.ts'
import type { Gateway } from '../../gateway.ts'
import { handshakeOf } from '../answering/handshake.ts'
import { RunningCall } from '../legacy/running.ts'
import { Sessions } from './sessions.ts'

const HANDSHAKE = handshakeOf({ protocolVersion: '2025-11-25', capabilities: { roots: {} } })
const nothing = (): void => {}
const gateway = { core: { watch: () => nothing }, admit: nothing, release: nothing, telemetry: new Telemetry() }

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function opened() {
  const sessions = new Sessions(gateway as unknown as Gateway)
  return { sessions, session: sessions.open(ANONYMOUS, HANDSHAKE) }
}

test('a client that has gone takes the questions with it that it has not answered', async () => {
  const { sessions, session } = opened()
  vi.spyOn(session.streams, 'send').mockReturnValue(true)
  const answer = session.ask({ method: 'roots/list', params: {} }, new Cancellation())
  answer.catch(nothing)
  await vi.advanceTimersByTimeAsync(29 * 60_000)
  expect(sessions.size).toBe(1)
  await vi.advanceTimersByTimeAsync(3 * 60_000)
  expect(sessions.size).toBe(0)
  await expect(answer).rejects.toThrow('idle')
})

test('a session whose call still runs is in use, however long', async () => {
  const { sessions, session } = opened()
  const call = new RunningCall('1')
  session.running.add(call)
  await vi.advanceTimersByTimeAsync(3 * 60 * 60_000)
  expect(sessions.size).toBe(1)
  session.running.remove(call)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(sessions.size).toBe(0)
})
