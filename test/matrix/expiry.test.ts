import { setTimeout as sleep } from 'node:timers/promises'

import { afterEach, expect, test, vi } from 'vitest'

import { startGateway } from '../support/gateway.ts'
import { waitFor } from '../support/processes.ts'
import { covers } from './covers.ts'
import { startLegacyHttp } from './peers/http.ts'
import { modernAt, told, wanted } from './peers/raw.ts'

/** Longer than any time to live of a parked call, shorter than whatever else could end it. */
const TOO_LONG_MS = 6 * 60_000

// Timers of the whole process are moved: this test has a process of its own.
afterEach(() => vi.useRealTimers())

test('a parked call that nobody answers is cancelled at the backend', covers('hard.1.expiry'), async () => {
  const backend = await startLegacyHttp('slow')
  const gateway = await startGateway({ backends: [{ name: 'slow', url: backend.url }] })
  const client = modernAt(gateway.url)
  expect(told(await client.tool('recall'))).toMatchObject({ calls: { recall: 1 } })

  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const call = client.start('tools/call', { name: 'ask-form', arguments: { key: 'nobody' } })
  let answer
  do {
    vi.advanceTimersByTime(10)
    answer = await Promise.race([call.response, sleep(5)])
  } while (!answer)
  wanted(answer)
  expect(backend.world.cancelled).toEqual([])
  vi.advanceTimersByTime(TOO_LONG_MS)
  vi.useRealTimers()
  await waitFor(() => backend.world.cancelled.length > 0)
  expect(backend.world.cancelled).toEqual(['nobody'])

  await gateway.close()
  await backend.close()
})
