import { expect, test } from 'vitest'

import type { JsonObject, JsonValue } from '../../model/json.ts'
import { StepError } from './ports.ts'
import { stepResult } from './result.ts'

const text = (text: string) => ({ type: 'text', text })

test('the output is the structured content, else the parts by name', () => {
  const content = [text('one'), text('two'), { type: 'image', data: 'aW1n', mimeType: 'image/png' }]
  const map = { text: 'one', text_1: 'two', image_0: 'aW1n' }
  expect(stepResult({ content })).toEqual({ output: map, content: map })
  expect(stepResult({ content, structuredContent: { a: 1 } })).toEqual({ output: { a: 1 }, content: map })
  expect(stepResult({ content, structuredContent: null })).toMatchObject({ output: null })
})

test('parts of every kind', () => {
  const link = { type: 'resource_link', uri: 'file:///x', name: 'x' }
  expect(
    stepResult({
      content: [
        { type: 'resource', resource: { uri: 'file:///a', text: 'A' } },
        { type: 'resource', resource: { uri: 'file:///b', blob: 'Qg==' } },
        { type: 'audio', data: 'YXU=', mimeType: 'audio/wav' },
        link,
        { type: 'hologram' },
        { type: 'text' },
        'nonsense',
      ],
    }).output,
  ).toEqual({ resource: 'A', resource_1: 'Qg==', audio_0: 'YXU=', resource_link: link })
})

test.each<[string, JsonObject, string]>([
  ['its texts', { isError: true, content: [text('one'), text('two')] }, 'one\ntwo'],
  ['no text', { isError: true, content: [] }, 'The tool failed and did not say why'],
  ['nothing', { isError: true }, 'The tool failed and did not say why'],
])('a tool that says that it failed fails its step: %s', (_, result, message) => {
  expect(() => stepResult(result)).toThrow(new StepError('error', message))
})

test('more than fits is a failure with a name', () => {
  expect(() => stepResult({ content: [text('x'.repeat(2_000))] }, 1_000)).toThrow('larger than 1000 bytes')
  expect(() => stepResult({ structuredContent: Array.from({ length: 300 }, () => null) }, 1_000)).toThrow('larger')
  expect(stepResult({ content: [text('x'.repeat(900))] }, 1_000).output).toHaveProperty('text')
  let deep: JsonValue = 1
  for (let level = 0; level < 100_000; level++) deep = [deep]
  expect(() => stepResult({ structuredContent: deep })).toThrow('levels deep')
})

test.each<[string, JsonObject]>([
  ['nothing', {}],
  ['no list', { content: 'text' }],
  ['members of other types', { content: [{ type: 'text', text: 7 }, { type: '__proto__' }, { type: 'constructor' }] }],
])('what is no result of a tool has no parts: %s', (_, result) => {
  expect(Object.keys(stepResult(result).output as JsonObject)).toEqual(Array.isArray(result['content']) ? ['text'] : [])
})
