import { expect, test } from 'vitest'
import type { JsonValue } from '../../model/json.ts'
import { isFault, parseTemplate, type ParsedTemplate } from './parse.ts'
import { evaluate, evaluateCondition, evaluateValue, MISSING, type ParsedValue, parseValue } from './template.ts'

const options = { now: 0 }

function parsed(text: string): ParsedTemplate {
  const template = parseTemplate(text)
  if (isFault(template)) throw new Error(template.message)
  return template
}

function parsedValue(value: JsonValue): ParsedValue {
  const result = parseValue(value)
  if ('faults' in result) throw new Error(JSON.stringify(result.faults))
  return result
}

const scope = { a: { title: 'T', list: [1], text: 'x' }, yes: true, word: 'True', n: 1 }

test.each<[string, JsonValue | typeof MISSING]>([
  ['{{ .a.list }}', [1]],
  ['{{ .a.titel }}', MISSING],
  ['{{ .a.text.deeper }}', MISSING],
])('a single expression keeps its type: %s', (text, value) => {
  expect(evaluate(parsed(text), scope, options)).toEqual(value)
})

test.each([
  ['x {{ .a.titel }}', 'a.titel is missing: did you mean a.title?', ['a', 'titel'], 5],
  ['x {{ .a.zzzzzz }}', 'a.zzzzzz is missing: a has "title", "list", "text"', ['a', 'zzzzzz'], 5],
  ['x {{ .a.list.[3] }}', 'a.list[3] is missing: a.list is a list of 1', ['a', 'list', 3], 5],
  ['x {{ .a.list.length }}', 'a.list.length is missing: a.list is a list of 1, and its length is written len', null, 5],
  ['x {{ .a.text.deeper.still }}', 'a.text.deeper.still is missing: a.text is a string', null, 5],
  ['x {{ .b.c }}', 'b.c is missing: the scope has "a", "yes", "word", "n"', ['b', 'c'], 5],
  ['{{ range .b }}{{ end }}', 'b is missing: the scope has "a", "yes", "word", "n"', ['b'], 9],
  ['{{ upper (first (slice .a.list 1)) }}', '(first ...)[0] is missing: (first ...) is a list of 0', [], 10],
  ['{{#with a}}{{nope}}{{/with}}', 'this.nope is missing: this has "title", "list", "text"', [], 13],
  ['{{#each a.list as |x|}}{{x.y}}{{/each}}', 'x.y is missing: x is a number', [], 25],
])('a missing path is named: %s', (text, message, path, offset) => {
  const error = { code: 'missing', message, offset, ...(path && { path }) }
  expect(() => evaluate(parsed(text), scope, options)).toThrow(expect.objectContaining(error) as Error)
})

test.each<[string, boolean]>([
  ['{{ .yes }}', true],
  ['{{ .word }}', true],
  ['{{ eq .n 2 }}', false],
  [' {{ .yes }}\n', true],
  ['{{#if yes}}FALSE{{/if}}', false],
  ['true', true],
])('condition %j', (text, value) => {
  expect(evaluateCondition(parsed(text), scope, options)).toBe(value)
})

test.each<[string, string, string]>([
  ['{{ .n }}', 'type', 'a condition must give true or false, got a number (1)'],
  ['{{ .a.text }}', 'type', 'a condition must give true or false, got a string ("x")'],
  ['{{ .a }}', 'type', 'a condition must give true or false, got an object'],
  ['', 'type', 'a condition must give true or false, got a string ("")'],
  ['tRUE', 'type', 'a condition must give true or false, got a string ("tRUE")'],
  ['{{ .a.nope }}', 'missing', 'a.nope is missing: a has "title", "list", "text"'],
])('no condition: %j', (text, code, message) => {
  expect(() => evaluateCondition(parsed(text), scope, options)).toThrow(
    expect.objectContaining({ code, message }) as Error,
  )
})

test('a value is walked: strings are templates, names are not', () => {
  const value = parsedValue({
    '{{ .n }}': '{{ .n }}',
    list: ['a', '{{ .a.list }}', { deep: 'n={{ .n }}' }],
    n: 5,
    x: null,
  })
  expect(evaluateValue(value, scope, options)).toEqual({
    '{{ .n }}': 1,
    list: ['a', [1], { deep: 'n=1' }],
    n: 5,
    x: null,
  })
  expect(value.templates.map(({ path }) => path)).toEqual([['{{ .n }}'], ['list', 1], ['list', 2, 'deep']])
})

test('a missing member is left out where it is optional, and an error elsewhere', () => {
  const value = parsedValue({ a: { b: '{{ .nope }}' }, c: '{{ .n }}', d: ['{{ .n }}'] })
  const isOptional = (path: readonly (string | number)[]) => path.join('.') === 'a.b'
  expect(evaluateValue(value, scope, { ...options, isOptional })).toEqual({ a: {}, c: 1, d: [1] })
  expect(() => evaluateValue(value, scope, options)).toThrow('a.b: nope is missing')
  const items = parsedValue(['{{ .nope }}'])
  expect(() => evaluateValue(items, scope, { ...options, isOptional: () => true })).toThrow('[0]: nope is missing')
  const part = parsedValue({ a: 'x {{ .nope }}' })
  expect(() => evaluateValue(part, scope, { ...options, isOptional: () => true })).toThrow('a: nope is missing')
})

test('all faults of a value are told', () => {
  expect(parseValue({ a: '{{', b: ['ok', '{{ foo .x }}'] })).toMatchObject({
    faults: [
      { path: ['a'], offset: 0 },
      { path: ['b', 1], offset: 3 },
    ],
  })
})

test('numbers that kept their spelling pass through', () => {
  const value = parsedValue({ a: JSON.rawJSON('12345678901234567890'), b: '{{ .big }}' })
  const out = evaluateValue(value, { big: JSON.rawJSON('1e999') }, options)
  expect(JSON.stringify(out)).toBe('{"a":12345678901234567890,"b":1e999}')
})
