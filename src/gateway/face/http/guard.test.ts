import type { IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import type { GuardSettings } from './guard.ts'
import { Guard } from './guard.ts'

function passes(headers: { host?: string; origin?: string }, settings: Partial<GuardSettings> = {}): boolean {
  const guard = new Guard({ loopback: true, allowedHosts: [], allowedOrigins: [], ...settings })
  try {
    guard.check({ headers, rawHeaders: [] as string[] } as IncomingMessage)
    return true
  } catch (error) {
    expect(error).toMatchObject({ code: 'FORBIDDEN_ORIGIN' })
    return false
  }
}

test.each([
  ['localhost:1', true],
  ['[::1]:1', true],
  ['[::1]evil', false],
  ['localhost:1:2', false],
  ['evil:1', false],
  [undefined, false],
])('on loopback the Host %s: %s', (host, fits) => {
  expect(passes(host === undefined ? {} : { host })).toBe(fits)
})

test('beyond loopback only a list restricts the Host', () => {
  const open = { loopback: false }
  expect(passes({ host: 'anything.example' }, open)).toBe(true)
  expect(passes({}, open)).toBe(true)
  const listed = { loopback: false, allowedHosts: ['Good.example', 'port.example:8'] }
  expect(passes({ host: 'good.example:5' }, listed)).toBe(true)
  expect(passes({ host: 'port.example:8' }, listed)).toBe(true)
  expect(passes({ host: 'port.example:9' }, listed)).toBe(false)
  expect(passes({ host: 'localhost' }, listed)).toBe(false)
  expect(passes({}, listed)).toBe(false)
})

test('beyond loopback an Origin is the same or listed', () => {
  const settings = { loopback: false, allowedOrigins: ['https://app.example'] }
  const from = (origin: string) => passes({ host: 'me.example:8', origin }, settings)
  expect(from('http://me.example:8')).toBe(true)
  expect(from('https://app.example')).toBe(true)
  for (const origin of [
    'null',
    'http://me.example',
    'http://localhost',
    'http://127.0.0.1:8',
    'http://app.example',
    'x',
  ]) {
    expect(from(origin)).toBe(false)
  }
})
