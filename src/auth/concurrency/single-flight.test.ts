import { expect, test } from 'vitest'
import { GatewayError } from '../../model/errors.ts'
import { createSingleFlight } from './single-flight.ts'

test.each([
  ['a server that fails', new GatewayError('CREDENTIAL_UNAVAILABLE', 'down'), 1],
  ['a user who may come at any moment', new GatewayError('CONSENT_NEEDED', 'here is no page for it yet'), 2],
])('%s is asked again in time', async (_who, error, times) => {
  const clock = { now: 0 }
  const { run } = createSingleFlight<never>(() => clock.now)
  let asked = 0
  const work = async (): Promise<never> => {
    asked++
    throw error
  }
  for (let call = 0; call < 2; call++) await expect(run('user', work)).rejects.toBe(error)
  expect(asked).toBe(times)
  clock.now = 1000
  await expect(run('user', work)).rejects.toBe(error)
  expect(asked).toBe(times + 1)
})

test('all who wait for one key share one attempt', async () => {
  const { run } = createSingleFlight<string>(() => 0)
  const { promise, resolve } = Promise.withResolvers<string>()
  let asked = 0
  const work = (): Promise<string> => {
    asked++
    return promise
  }
  const waiting = ['user', 'user', 'other'].map((key) => run(key, work))
  resolve('token')
  expect(await Promise.all(waiting)).toEqual(['token', 'token', 'token'])
  expect(asked).toBe(2)
})

test('what was forgotten stands in the way of nobody, however it ends', async () => {
  const { run, pending, forget } = createSingleFlight<string>(() => 0)
  const { promise, reject } = Promise.withResolvers<string>()
  const first = run('user', () => promise)
  forget('user')
  expect(pending('user')).toBeUndefined()
  const second = run('user', () => new Promise(() => {}))
  reject(new Error('down'))
  await expect(first).rejects.toThrow('down')
  expect(pending('user')).toBe(second)
  forget('user')
  expect(await run('user', async () => 'token')).toBe('token')
})
