import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { JsonObject, JsonValue } from '../../model/json.ts'
import { formatDate, readDate } from './dates.ts'
import { TemplateError } from './fault.ts'
import { isFault, parseTemplate, type ParsedTemplate } from './parse.ts'
import { evaluate, MISSING } from './template.ts'

const options = { now: Date.UTC(2026, 0, 2) }

/** An expression that both spellings can write. */
type Expression =
  | { literal: string | number | boolean | null }
  | { path: (string | number)[] }
  | { helper: string; args: Expression[] }

const NAMES = ['a', 'b', 'a-b', 'list', 'o', 'x y', '__proto__', 'constructor']
const HELPERS: [string, number][] = [
  ['eq', 2],
  ['eq', 3],
  ['ne', 2],
  ['lt', 2],
  ['and', 2],
  ['or', 3],
  ['not', 1],
  ['default', 2],
  ['coalesce', 2],
  ['exists', 1],
  ['ternary', 3],
  ['index', 2],
  ['len', 1],
  ['json', 1],
  ['quote', 1],
  ['print', 2],
  ['toString', 1],
  ['contains', 2],
  ['first', 1],
]

const name = fc.constantFrom(...NAMES)
const scalar = fc.oneof(
  fc.integer({ min: -9, max: 9 }),
  fc.constantFrom(0.5, 1.5),
  fc.constantFrom('', 'a', 'b', 'a b'),
  fc.boolean(),
  fc.constant(null),
)
const value: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    scalar,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(name, tie('value'), { maxKeys: 4, noNullPrototype: true }) as fc.Arbitrary<JsonObject>,
  ),
})).value
const scopes = fc.record(
  { a: value, b: value, 'a-b': value, list: fc.array(value), o: fc.dictionary(name, value, { noNullPrototype: true }) },
  { requiredKeys: ['a', 'list', 'o'], noNullPrototype: true },
)

const paths = fc
  .tuple(
    fc.constantFrom('a', 'b', 'a-b', 'list', 'o'),
    fc.array(fc.oneof(name, fc.integer({ min: 0, max: 3 })), { maxLength: 3 }),
  )
  .map(([root, keys]) => ({ path: [root, ...keys] }))
const expressions = fc.letrec<{ expression: Expression }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    paths,
    scalar.map((literal) => ({ literal })),
    fc
      .constantFrom(...HELPERS)
      .chain(([helper, count]) =>
        fc
          .array(tie('expression'), { minLength: count, maxLength: count })
          .map((args): Expression => ({ helper, args })),
      ),
  ),
})).expression

const plain = /^[\w-]+$/

function asGo(expression: Expression, isInner = false): string {
  if ('literal' in expression) return expression.literal === null ? 'nil' : JSON.stringify(expression.literal)
  if ('path' in expression) {
    return expression.path
      .map((key) => (typeof key === 'string' && plain.test(key) ? `.${key}` : `.[${JSON.stringify(key)}]`))
      .join('')
  }
  const call = [expression.helper, ...expression.args.map((arg) => asGo(arg, true))].join(' ')
  return isInner ? `(${call})` : call
}

function asHandlebars(expression: Expression, isInner = false): string {
  if ('literal' in expression) return JSON.stringify(expression.literal)
  if ('path' in expression) {
    return expression.path
      .map((key) => (typeof key === 'string' && plain.test(key) ? key : `[${JSON.stringify(key)}]`))
      .join('.')
  }
  const call = [expression.helper, ...expression.args.map((arg) => asHandlebars(arg, true))].join(' ')
  return isInner ? `(${call})` : call
}

type Outcome = { value: JsonValue | typeof MISSING } | { fault: string } | { code: string; message: string }

function outcome(text: string, scope: object): Outcome {
  const parsed = parseTemplate(text)
  if (isFault(parsed)) return { fault: parsed.message }
  try {
    return { value: evaluate(parsed, scope, options) }
  } catch (error) {
    if (error instanceof TemplateError) return { code: error.code, message: error.message }
    throw error
  }
}

test('both spellings of an expression give the same', () => {
  fc.assert(
    fc.property(expressions, scopes, (expression, scope) => {
      const go = outcome(`{{- ${asGo(expression)} }}`, scope)
      const handlebars = outcome(`{{~${asHandlebars(expression)}}}`, scope)
      expect(handlebars).toEqual(go)
    }),
    { numRuns: 500 },
  )
})

function lookUp(scope: JsonValue, path: (string | number)[]): JsonValue | undefined {
  let found: JsonValue | undefined = scope
  for (const key of path) {
    if (typeof found !== 'object' || found === null) return undefined
    if (Array.isArray(found)) found = typeof key === 'number' ? found[key] : undefined
    else found = Object.getOwnPropertyDescriptor(found, key)?.value as JsonValue | undefined
  }
  return found
}

test('a path finds own members and nothing else', () => {
  fc.assert(
    fc.property(paths, scopes, ({ path }, scope) => {
      const found = lookUp(scope, path)
      expect(outcome(`{{- ${asGo({ path })} }}`, scope)).toEqual({ value: found === undefined ? MISSING : found })
    }),
    { numRuns: 500 },
  )
})

/** The scope without what the template does not mention. */
function pruned(scope: JsonValue, { mentions }: ParsedTemplate): JsonObject {
  const kept: JsonObject = {}
  for (const { path } of mentions) {
    let from: JsonValue | undefined = scope
    let to: JsonObject = kept
    for (const [at, key] of path.entries()) {
      if (typeof from !== 'object' || from === null || Array.isArray(from) || !Object.hasOwn(from, key)) break
      from = from[key]
      const isWhole = at === path.length - 1 || typeof from !== 'object' || from === null || Array.isArray(from)
      const known = Object.hasOwn(to, key) ? to[key] : undefined
      const next = isWhole ? from : known !== undefined && known !== null && typeof known === 'object' ? known : {}
      Object.defineProperty(to, key, { value: next, enumerable: true, configurable: true, writable: true })
      if (isWhole) break
      to = next as JsonObject
    }
  }
  return kept
}

test('a template reads no more than it mentions', () => {
  fc.assert(
    fc.property(expressions, fc.constantFrom('a', 'list'), scopes, (expression, root, scope) => {
      const texts = [
        `{{- ${asGo(expression)} }}`,
        `{{ with ${asGo(expression)} }}{{ .a | default "" }}{{ $.${root} | default "" }}{{ else }}{{ .b }}{{ end }}`,
        `{{ range $k, $v := .${root} }}{{ $k }}{{ $v }}{{ if .a }}{{ .a }}{{ end }}{{ else }}{{ $x := .o }}{{ $x.a }}{{ end }}`,
      ]
      for (const text of texts) {
        const parsed = parseTemplate(text)
        if (isFault(parsed)) continue
        // Shared parts must not be written to.
        const copy = pruned(structuredClone(scope), sortedByLength(parsed))
        const [whole, part] = [outcome(text, scope), outcome(text, copy)]
        if ('code' in whole) expect(part).toMatchObject({ code: whole.code })
        else expect(part).toEqual(whole)
      }
    }),
    { numRuns: 300 },
  )
})

/** The longest first: a shorter one then takes the whole of what lies below it. */
const sortedByLength = (parsed: ParsedTemplate): ParsedTemplate => ({
  ...parsed,
  mentions: parsed.mentions.toSorted((a, b) => b.path.length - a.path.length),
})

const FRAGMENTS = [
  '{{',
  '}}',
  '{{{',
  '}}}',
  '{{#if x}}',
  '{{/if}}',
  '{{else}}',
  '{{#each xs as |a b|}}',
  '{{/each}}',
  '{{!',
  '--',
  '{{ if .x }}',
  '{{ end }}',
  '{{ else }}',
  '{{ range .xs }}',
  '{{-',
  '-}}',
  '{{~',
  '~}}',
  ' := ',
  '$x',
  '$',
  '.',
  '..',
  '.x',
  'x',
  'xs',
  'this',
  '../',
  '@index',
  '@root',
  '|',
  '(',
  ')',
  '"',
  "'",
  '`',
  '\\',
  '[',
  ']',
  '[0]',
  '=',
  ',',
  '#',
  'eq',
  'len',
  'index',
  'printf',
  'json',
  ' ',
  '\n',
  '5',
  '-1.5',
  '1e3',
  '/*',
  '*/',
  'nil',
  'null',
  'true',
  '\u0000',
  '😀',
]

test('whatever stands there: a fault with its place, a value, or a named error', () => {
  const texts = fc.oneof(
    fc.array(fc.constantFrom(...FRAGMENTS), { maxLength: 25 }).map((parts) => parts.join('')),
    fc.array(fc.constantFrom(...FRAGMENTS), { maxLength: 8 }).map((parts) => `{{${parts.join('')}}}`),
    fc.string({ unit: 'binary' }),
  )
  const scope = { x: 1, xs: [1, { x: 'a' }] }
  fc.assert(
    fc.property(texts, (text) => {
      const parsed = parseTemplate(text)
      if (!isFault(parsed)) {
        outcome(text, scope)
        for (const { offset } of parsed.mentions) expect(offset).toBeLessThan(text.length)
        return
      }
      expect(parsed.message).not.toBe('')
      expect(parsed.message.length).toBeLessThan(300)
      expect(parsed.offset).toBeGreaterThanOrEqual(0)
      expect(parsed.offset).toBeLessThanOrEqual(text.length)
    }),
    { numRuns: 1000 },
  )
})

test('a text without actions is itself', () => {
  fc.assert(
    fc.property(
      fc.string().filter((text) => !text.includes('{{')),
      (text) => {
        expect(outcome(text, {})).toEqual({ value: text })
      },
    ),
  )
})

test('numbers are equal by value, however they are written', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 0, max: 3 }), (number, zeros) => {
      const spelled = `${number}${zeros === 0 ? '' : `.${'0'.repeat(zeros)}`}`
      expect(outcome(`{{ eq .n ${spelled} }}`, { n: number })).toEqual({ value: true })
      expect(outcome(`{{ eq .n ${number + 1} }}`, { n: number })).toEqual({ value: false })
      expect(outcome(`{{eq n ${spelled}}}`, { n: number })).toEqual({ value: true })
    }),
  )
})

test('dates are written as JavaScript writes them, and read back', () => {
  const times = fc.integer({ min: Date.UTC(1000, 0, 1), max: Date.UTC(9999, 11, 31) })
  fc.assert(
    fc.property(times, (at) => {
      const iso = new Date(at).toISOString()
      expect(formatDate(at, '2006-01-02T15:04:05.000Z07:00')).toBe(iso)
      expect(formatDate(at, 'YYYY-MM-DDTHH:mm:ss.SSSZ')).toBe(iso)
      expect(readDate(iso)).toBe(at)
    }),
  )
})
