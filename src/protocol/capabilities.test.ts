import { expect, test } from 'vitest'
import { NO_PROFILE } from '../model/profile.ts'
import { canBeAsked, checkQuestion, profileOf } from './capabilities.ts'

const MODERN = '2026-07-28'
const LATEST = '2025-11-25'

test.each([
  ['nothing', {}, LATEST, {}, {}],
  [
    'what is carried',
    { elicitation: { form: {}, url: {} } },
    LATEST,
    { elicitation: { form: {}, url: {} } },
    { elicitation: { form: {}, url: {} } },
  ],
  ['nothing that is not', { experimental: { x: {} }, acme: {} }, LATEST, {}, {}],
  [
    'no members that are not',
    { sampling: { tools: {}, acme: {} } },
    MODERN,
    { sampling: { tools: {} } },
    { sampling: { tools: {} } },
  ],
  ['no capability before its revision', { elicitation: {}, roots: {} }, '2025-03-26', { roots: {} }, { roots: {} }],
  [
    'no member before its revision',
    { elicitation: { url: {} } },
    '2025-06-18',
    { elicitation: {} },
    { elicitation: {} },
  ],
  [
    'changes of roots to legacy servers only',
    { roots: { listChanged: true } },
    LATEST,
    { roots: { listChanged: true } },
    { roots: {} },
  ],
  ['core tasks to legacy servers only', { tasks: { list: {} } }, LATEST, { tasks: { list: {} } }, {}],
  ['no core tasks of a modern client', { tasks: { list: {} } }, MODERN, {}, {}],
  [
    'the tasks extension to modern servers only',
    { extensions: { 'io.modelcontextprotocol/tasks': {}, 'io.modelcontextprotocol/ui': { a: 1 } } },
    MODERN,
    { extensions: { 'io.modelcontextprotocol/ui': { a: 1 } } },
    { extensions: { 'io.modelcontextprotocol/tasks': {}, 'io.modelcontextprotocol/ui': { a: 1 } } },
  ],
])('a profile holds %s', (_what, declared, revision, legacy, modern) => {
  expect(profileOf(declared, revision)).toMatchObject({ legacy, modern })
  expect(profileOf(declared, revision).legacy).toEqual(legacy)
  expect(profileOf(declared, revision).modern).toEqual(modern)
})

test('equal profiles have equal keys, whoever declared them; nothing has none', () => {
  expect(profileOf({ sampling: {} }, LATEST).key).toBe(profileOf({ sampling: {}, experimental: {} }, '2025-06-18').key)
  expect(profileOf({ sampling: {} }, LATEST).key).not.toBe(profileOf({ roots: {} }, LATEST).key)
  expect(profileOf({ experimental: {} }, LATEST)).toBe(NO_PROFILE)
})

test('a caller is asked what it has said it can answer', () => {
  const asked = (capabilities: object, method: string, params = {}): boolean => {
    try {
      checkQuestion(profileOf(capabilities as never, LATEST), method, params)
      return true
    } catch (error) {
      expect(error).toMatchObject({ jsonrpc: -32601 })
      return false
    }
  }
  expect(asked({ elicitation: {} }, 'elicitation/create')).toBe(true)
  expect(asked({ elicitation: {} }, 'elicitation/create', { mode: 'form' })).toBe(true)
  expect(asked({ elicitation: {} }, 'elicitation/create', { mode: 'url' })).toBe(false)
  expect(asked({ elicitation: { url: {} } }, 'elicitation/create', { mode: 'url' })).toBe(true)
  expect(asked({ elicitation: { url: {} } }, 'elicitation/create')).toBe(false)
  expect(asked({ sampling: {} }, 'sampling/createMessage')).toBe(true)
  expect(asked({ sampling: {} }, 'sampling/createMessage', { tools: [] })).toBe(false)
  expect(asked({ sampling: { tools: {} } }, 'sampling/createMessage', { tools: [], toolChoice: {} })).toBe(true)
  expect(asked({ roots: {} }, 'roots/list')).toBe(true)
  expect(asked({ tasks: {} }, 'tasks/get')).toBe(true)
  expect(asked({}, 'roots/list')).toBe(false)
  expect(asked({ roots: {} }, 'acme/ask')).toBe(false)
})

test('extensions alone do not make a caller one that can be asked', () => {
  expect(canBeAsked(profileOf({ extensions: { 'io.modelcontextprotocol/ui': {} } }, MODERN))).toBe(false)
  expect(canBeAsked(profileOf({ sampling: {} }, MODERN))).toBe(true)
})
