import { expect, test } from 'vitest'
import { backendId } from '../model/ids.ts'
import type { EventName, Events } from './events.ts'
import { Telemetry } from './events.ts'
import { logger, type LogFormat, type LogLevel, toldAt } from './log.ts'

function written<Name extends EventName>(
  name: Name,
  data: Events[Name],
  format: LogFormat = 'text',
  level: LogLevel = 'debug',
) {
  const lines: string[] = []
  const telemetry = new Telemetry()
  telemetry.subscribe(
    logger(format, (line) => lines.push(line)),
    toldAt(level),
  )
  telemetry.emit(name, data)
  return lines.join('')
}

const failed = (name: string): Events['call.failed'] => ({ method: 'tool', name, code: 'X', message: 'it broke' })
const incident = { incident: 'abc', error: new Error('boom') }

test('a line of text: time, level, sentence', () => {
  expect(written('call.failed', failed('t'))).toMatch(
    /^\d{4}-\d\d-\d\dT[\d:.]+Z warn  tool t failed: it broke \(X\)\n$/,
  )
  const fault = { message: 'gone', hint: 'start it' }
  const line = written('backend.failing', { backend: backendId('b'), transport: 'http', fault, retryInMs: 1549 })
  expect(line).toContain('b: gone (start it); next attempt in 1.5 s')
})

test('a line of JSON: the sentence and the fields', () => {
  expect(JSON.parse(written('call.failed', failed('t'), 'json'))).toMatchObject({
    level: 'warn',
    event: 'call.failed',
    message: 'tool t failed: it broke (X)',
    method: 'tool',
    name: 't',
    code: 'X',
  })
})

test('levels', () => {
  expect(written('call.failed', failed('t'), 'text', 'warn')).not.toBe('')
  expect(written('call.failed', failed('t'), 'text', 'error')).toBe('')
  expect(written('internal.error', incident, 'text', 'error')).toContain('incident abc: Error: boom')
  expect(written('call.done', { method: 'tool', name: 't', ms: 1 }, 'text', 'info')).toBe('')
})

test('an internal error keeps its stack out of the fields', () => {
  const {
    incident: id,
    error,
    message,
  } = JSON.parse(written('internal.error', incident, 'json')) as Record<string, unknown>
  expect([id, error]).toEqual([undefined, undefined])
  expect(message).toContain('boom')
})

test('nobody can steer a terminal or forge a line', () => {
  const line = written('call.failed', failed('a\u001b[2J\r\u009b1m\u0007\n2026-01-01T00:00:00.000Z error forged'))
  // oxlint-disable-next-line no-control-regex -- these are the characters that must be gone
  expect(line).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/)
  expect(line.split('\n').slice(1, -1)).toEqual([expect.stringMatching(/^ {2}2026/)])
  expect(written('call.failed', failed('a\nb'), 'json').split('\n')).toHaveLength(2)
})

test('all faults of a configuration are told', () => {
  expect(written('config.rejected', { faults: ['one', 'two'] })).toMatch(/not used:\n {2}one\n {2}two\n$/)
})

test('a subscriber that left hears nothing', () => {
  const telemetry = new Telemetry()
  const heard: EventName[] = []
  const leave = telemetry.subscribe((name) => heard.push(name))
  telemetry.emit('catalogue.note', { message: 'x' })
  leave()
  expect(telemetry.hears('gateway.stopping')).toBe(false)
  telemetry.emit('catalogue.note', { message: 'y' })
  expect(heard).toEqual(['catalogue.note'])
})

test('a refusal names who, what and by which policies', () => {
  const who = { principal: 'bob', what: 'call_tool rm' }
  expect(written('policy.denied', { ...who, by: ['no', 'never'] })).toContain(
    'bob call_tool rm was denied by no, never',
  )
  expect(written('policy.denied', { ...who, by: [] })).toContain('bob call_tool rm was denied: no policy permits it')
  expect(written('policy.denied', { ...who, by: [] }, 'text', 'info')).toBe('')
  expect(written('policy.fault', { ...who, policy: 'odd', message: 'it failed' }, 'text', 'warn')).toContain(
    'bob call_tool rm was denied because odd could not be evaluated: it failed',
  )
})

test('why nobody is signed in is told, and what the operator can do about it', () => {
  const who = { backend: 'mail', subject: 'local' }
  expect(written('sign-in', { kind: 'sign-in-ended', ...who, outcome: 'refused', why: 'it said no' })).toContain(
    'mail: sign-in refused: it said no (local)',
  )
  expect(
    written('token-store.failing', { why: 'it is closed', file: '/kept', remedy: 'open it' }, 'text', 'warn'),
  ).toMatch(/ warn {2}\/kept: it is closed; .*: open it\n$/)
})
