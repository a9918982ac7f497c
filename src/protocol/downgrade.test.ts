import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ListKind } from '../model/catalogue.ts'
import type { JsonObject } from '../model/json.ts'
import { lowerDefinition, lowerNotification, lowerRequest, lowerResult, needsLowering } from './downgrade.ts'
import { META } from './envelope.ts'
import { parseJson } from './json.ts'

const REVISIONS = ['2024-10-07', '2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28']
const [OLDEST = '', , BATCHES = '', STRUCTURED = '', LATEST = '', MODERN = ''] = REVISIONS

const text = { type: 'text', text: 'said' }
const audio = { type: 'audio', data: 'AAAA', mimeType: 'audio/wav', annotations: { priority: 1 }, vendor: 1 }
const link = {
  type: 'resource_link',
  uri: 'file:///a',
  name: 'a',
  title: 'A',
  description: 'd',
  mimeType: 'text/plain',
  size: 5,
  icons: [{ src: 'x' }],
  _meta: { k: 1 },
}

test('audio becomes text that says what is missing, from 2025-03-26 on it stays', () => {
  const said = '[audio, audio/wav, 3 bytes: left out, revision 2024-10-07 has none]'
  const lowered = { type: 'text', text: said, annotations: { priority: 1 }, vendor: 1 }
  expect(lowerResult(OLDEST, 'tools/call', { content: [text, audio] })).toEqual({ content: [text, lowered] })
  expect(lowerResult(OLDEST, 'prompts/get', { messages: [{ role: 'user', content: audio }] })).toEqual({
    messages: [{ role: 'user', content: lowered }],
  })
  expect(lowerResult(OLDEST, 'sampling/createMessage', { role: 'assistant', model: 'm', content: audio })).toEqual({
    role: 'assistant',
    model: 'm',
    content: lowered,
  })
  expect(lowerRequest(OLDEST, 'sampling/createMessage', { messages: [{ role: 'user', content: [audio] }] })).toEqual({
    messages: [{ role: 'user', content: [lowered] }],
  })
  const result = { content: [audio] }
  expect(lowerResult(BATCHES, 'tools/call', result)).toBe(result)
})

test('a resource link becomes text with its URI; icons leave it before 2025-11-25', () => {
  expect(lowerResult(BATCHES, 'tools/call', { content: [link] })).toEqual({
    content: [{ type: 'text', text: 'a: file:///a', _meta: { k: 1 } }],
  })
  const bare = { type: 'resource_link', uri: 'file:///a' }
  expect(lowerResult(BATCHES, 'tools/call', { content: [bare] })).toEqual({
    content: [{ type: 'text', text: 'file:///a' }],
  })
  const { icons: _, ...plain } = link
  expect(lowerResult(STRUCTURED, 'tools/call', { content: [link] })).toEqual({ content: [plain] })
  const vendor = { content: [{ ...text, icons: 1 }] }
  expect(lowerResult(OLDEST, 'tools/call', vendor)).toBe(vendor)
  const result = { content: [link] }
  expect(lowerResult(LATEST, 'tools/call', result)).toBe(result)
})

test('structured content leaves before 2025-06-18, and never without its text', () => {
  expect(lowerResult(BATCHES, 'tools/call', { content: [], structuredContent: { a: 1 } })).toEqual({
    content: [{ type: 'text', text: '{"a":1}' }],
  })
  const json = { type: 'text', text: '{ "b": [2], "a": 1 }' }
  expect(lowerResult(BATCHES, 'tools/call', { content: [text, json], structuredContent: { a: 1, b: [2] } })).toEqual({
    content: [text, json],
  })
  expect(lowerResult(BATCHES, 'tools/call', { content: [text], structuredContent: { a: 1 } })).toEqual({
    content: [text, { type: 'text', text: '{"a":1}' }],
  })
  const result = { content: [], structuredContent: { a: 1 } }
  expect(lowerResult(STRUCTURED, 'tools/call', result)).toBe(result)
})

test.each([[[1, 2]], [2], ['x'], [null], [true], [parseJson('12345678901234567890')]])(
  'structured content %j is for modern clients only',
  (structuredContent) => {
    const result = { isError: true, structuredContent }
    const lowered = { isError: true, content: [{ type: 'text', text: JSON.stringify(structuredContent) }] }
    for (const revision of REVISIONS.slice(0, -1)) {
      expect(lowerResult(revision, 'tools/call', result)).toEqual(lowered)
    }
    expect(lowerResult(MODERN, 'tools/call', result)).toBe(result)
  },
)

test('result types and cache hints leave for all legacy clients', () => {
  const modern = { contents: [], resultType: 'complete', ttlMs: 0, cacheScope: 'private', vendor: { ttlMs: 1 } }
  for (const method of ['resources/read', 'tools/list', 'vendor/x']) {
    expect(lowerResult(LATEST, method, modern)).toEqual({ contents: [], vendor: { ttlMs: 1 } })
    expect(lowerResult(MODERN, method, modern)).toBe(modern)
  }
})

const TOOL = {
  name: 't',
  title: 'T',
  icons: [],
  annotations: { readOnlyHint: true },
  inputSchema: { type: 'object' },
  outputSchema: { type: 'object' },
  execution: { taskSupport: 'optional' },
  _meta: { ui: { resourceUri: 'ui://x' } },
  vendor: 1,
}

test.each<[string, ListKind, JsonObject, string[]]>([
  [OLDEST, 'tools', TOOL, ['title', 'icons', 'annotations', 'outputSchema', 'execution']],
  [BATCHES, 'tools', TOOL, ['title', 'icons', 'outputSchema', 'execution']],
  [STRUCTURED, 'tools', TOOL, ['icons', 'execution']],
  [LATEST, 'tools', TOOL, []],
  [LATEST, 'tools', { ...TOOL, outputSchema: { type: 'array' } }, ['outputSchema']],
  [LATEST, 'tools', { ...TOOL, outputSchema: true }, ['outputSchema']],
  [MODERN, 'tools', { ...TOOL, outputSchema: true }, []],
  [BATCHES, 'resources', { uri: 'x://1', title: 'R', icons: [], size: 1 }, ['title', 'icons']],
  [BATCHES, 'templates', { uriTemplate: 'x://{1}', title: 'R', annotations: {} }, ['title']],
  [STRUCTURED, 'prompts', { name: 'p', title: 'P', icons: [] }, ['icons']],
])('for %s a definition of %s loses the right members', (revision, kind, definition, lost) => {
  const left = Object.fromEntries(Object.entries(definition).filter(([member]) => !lost.includes(member)))
  const lowered = lowerDefinition(revision, kind, definition)
  expect(lowered).toEqual(left)
  if (lost.length === 0) expect(lowered).toBe(definition)
})

test('arguments of prompts have titles from 2025-06-18 on', () => {
  const prompt = { name: 'p', arguments: [{ name: 'a', title: 'A', required: true }, { name: 'b' }] }
  expect(lowerDefinition(BATCHES, 'prompts', prompt)).toEqual({
    name: 'p',
    arguments: [{ name: 'a', required: true }, { name: 'b' }],
  })
  expect(lowerDefinition(STRUCTURED, 'prompts', prompt)).toBe(prompt)
})

test('notifications lose the message of progress, and the subscription they came by', () => {
  const progress = { progressToken: 1, progress: 1, message: 'half' }
  expect(lowerNotification(OLDEST, 'notifications/progress', progress)).toEqual({ progressToken: 1, progress: 1 })
  expect(lowerNotification(OLDEST, 'notifications/message', progress)).toBe(progress)
  expect(lowerNotification(BATCHES, 'notifications/progress', progress)).toBe(progress)
  const method = 'notifications/resources/updated'
  const tagged = { uri: 'x://1', _meta: { [META.subscription]: 1 } }
  expect(lowerNotification(LATEST, method, tagged)).toEqual({ uri: 'x://1' })
  expect(lowerNotification(LATEST, method, { _meta: { ...tagged._meta, k: 1 } })).toEqual({ _meta: { k: 1 } })
  expect(lowerNotification(MODERN, method, tagged)).toBe(tagged)
})

test('choices with titles are spelled with enumNames before 2025-11-25', () => {
  const choice = {
    type: 'string',
    title: 'Colour',
    oneOf: [{ const: '#f00', title: 'Red' }, { const: '#0f0' }],
    default: '#f00',
  }
  const [several, plain] = [
    { type: 'array', items: { anyOf: [] } },
    { type: 'string', enum: ['a'] },
  ]
  const form = { message: 'm', requestedSchema: { type: 'object', properties: { choice, several, plain } } }
  const lowered = {
    type: 'string',
    title: 'Colour',
    enum: ['#f00', '#0f0'],
    enumNames: ['Red', '#0f0'],
    default: '#f00',
  }
  expect(lowerRequest(STRUCTURED, 'elicitation/create', form)).toEqual({
    message: 'm',
    requestedSchema: { type: 'object', properties: { choice: lowered, several, plain } },
  })
  expect(lowerRequest(LATEST, 'elicitation/create', form)).toBe(form)
  const other = { message: 'm', requestedSchema: { type: 'object', properties: { several, plain } } }
  expect(lowerRequest(STRUCTURED, 'elicitation/create', other)).toBe(other)
})

test('results of legacy backends need no parsing for clients that know structured content', () => {
  expect(REVISIONS.filter(needsLowering)).toEqual(['2024-10-07', '2024-11-05', '2025-03-26'])
})

const json = fc.jsonValue({ maxDepth: 2 })
const some = (members: readonly string[]) => Object.fromEntries(members.map((member) => [member, json]))
const block = fc.record(
  {
    ...some(['text', 'data', 'mimeType', 'uri', 'name', 'title', 'icons', '_meta']),
    type: fc.constantFrom('text', 'audio', 'image', 'resource_link', 'resource'),
  },
  { requiredKeys: ['type'] },
)
const content = fc.oneof(block, fc.array(fc.oneof(block, json)), json)
const result: fc.Arbitrary<JsonObject> = fc.record(
  {
    ...some(['structuredContent', 'isError', 'resultType', 'ttlMs', '_meta']),
    content,
    messages: fc.oneof(json, fc.array(fc.oneof(json, fc.record({ role: json, content })))),
    choice: fc.record({
      type: fc.constant('string'),
      oneOf: fc.oneof(json, fc.array(fc.record({ const: json, title: json }))),
    }),
  },
  { requiredKeys: [] },
)
const definition: fc.Arbitrary<JsonObject> = fc.record(
  {
    ...some(['title', 'icons', 'annotations', 'execution', '_meta', 'vendor']),
    arguments: fc.oneof(json, fc.array(fc.oneof(json, fc.record({ name: json, title: json })))),
    outputSchema: fc.oneof(json, fc.constant({ type: 'object' })),
  },
  { requiredKeys: [] },
)
const revision = fc.constantFrom(...REVISIONS)
const method = fc.constantFrom('tools/call', 'prompts/get', 'sampling/createMessage', 'resources/read')
const kind = fc.constantFrom<ListKind[]>('tools', 'prompts', 'resources', 'templates')

test('what is lowered twice is the same object, and what was received is not changed', () => {
  fc.assert(
    fc.property(revision, method, result, (revision, method, result) => {
      const before = JSON.stringify(result)
      const lowered = lowerResult(revision, method, result)
      expect(lowerResult(revision, method, lowered)).toBe(lowered)
      expect(JSON.stringify(result)).toBe(before)
      const asked = lowerRequest(revision, method, result)
      expect(lowerRequest(revision, method, asked)).toBe(asked)
      const form = { requestedSchema: { properties: result } }
      const filled = lowerRequest(revision, 'elicitation/create', form)
      expect(lowerRequest(revision, 'elicitation/create', filled)).toBe(filled)
      const told = lowerNotification(revision, 'notifications/progress', result)
      expect(lowerNotification(revision, 'notifications/progress', told)).toBe(told)
    }),
  )
  fc.assert(
    fc.property(revision, kind, definition, (revision, kind, definition) => {
      const before = JSON.stringify(definition)
      const lowered = lowerDefinition(revision, kind, definition)
      expect(lowerDefinition(revision, kind, lowered)).toBe(lowered)
      expect(JSON.stringify(definition)).toBe(before)
    }),
  )
})

test('a revision is lowered to as if every one above it had been first', () => {
  fc.assert(
    fc.property(kind, definition, (kind, definition) => {
      let step: JsonObject = definition
      for (const revision of REVISIONS.toReversed()) {
        step = lowerDefinition(revision, kind, step)
        expect(lowerDefinition(revision, kind, definition)).toEqual(step)
      }
    }),
  )
})

test('nothing is lowered for modern clients', () => {
  fc.assert(
    fc.property(method, result, kind, definition, (method, result, kind, definition) => {
      expect(lowerResult(MODERN, method, result)).toBe(result)
      expect(lowerDefinition(MODERN, kind, definition)).toBe(definition)
    }),
  )
})
