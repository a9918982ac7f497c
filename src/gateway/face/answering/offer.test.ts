import { expect, test } from 'vitest'
import { capabilitiesFor } from './offer.ts'

const EXTENSIONS = { 'io.modelcontextprotocol/tasks': {}, 'io.modelcontextprotocol/skills': { directoryRead: true } }

test.each([
  ['2024-11-05', false, ['io.modelcontextprotocol/skills']],
  ['2025-06-18', false, ['io.modelcontextprotocol/skills']],
  ['2025-11-25', true, ['io.modelcontextprotocol/skills']],
  ['2026-07-28', false, ['io.modelcontextprotocol/tasks', 'io.modelcontextprotocol/skills']],
])('%s: core tasks %s, extensions %j', (revision, tasks, extensions) => {
  const offered = capabilitiesFor(revision, EXTENSIONS)
  expect(offered['tasks'] !== undefined).toBe(tasks)
  expect(Object.keys(offered['extensions'] as object)).toEqual(extensions)
})

test('no extensions, no member', () => {
  expect(capabilitiesFor('2026-07-28', undefined)).not.toHaveProperty('extensions')
  expect(capabilitiesFor('2025-11-25', { 'io.modelcontextprotocol/tasks': {} })).not.toHaveProperty('extensions')
})
