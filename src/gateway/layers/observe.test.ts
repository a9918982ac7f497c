import { expect, test } from 'vitest'
import type { Call, Context, Core } from '../../model/call.ts'
import { GatewayError } from '../../model/errors.ts'
import { Telemetry } from '../../telemetry/events.ts'
import { observeLayer, Tally } from './observe.ts'

test('everybody who waits hears of the end of the last call, or of the end of their patience', async () => {
  const tally = new Tally()
  expect(await tally.idleWithin(10_000)).toBe(true)
  tally.running = 2
  const patient = [tally.idleWithin(10_000), tally.idleWithin(10_000)]
  expect(await tally.idleWithin(5)).toBe(false)
  tally.ended()
  tally.ended()
  expect(await Promise.all(patient)).toEqual([true, true])
})

test('names are told shortened, whether the call is done or has failed', async () => {
  const telemetry = new Telemetry()
  const told: string[] = []
  telemetry.subscribe((_event, data) => {
    if ('name' in data && typeof data.name === 'string') told.push(data.name)
  })
  const inner = {
    invoke: (call: Call) =>
      call.kind === 'tool'
        ? Promise.resolve({ kind: 'result', value: {}, era: 'modern' })
        : Promise.reject(new GatewayError('NOT_AVAILABLE', 'Unknown')),
  } as unknown as Core
  const core = observeLayer(telemetry, new Tally())(inner)
  const long = 'a'.repeat(1_000_000)
  await core.invoke({ kind: 'tool', name: long, params: {} }, {} as Context)
  await core.invoke({ kind: 'prompt', name: long, params: {} }, {} as Context).catch(() => {})
  expect(told).toEqual([`${'a'.repeat(200)}...`, `${'a'.repeat(200)}...`])
})
