import { expect, test } from 'vitest'
import type { JsonValue } from '../../model/json.ts'
import { isFault, parseTemplate } from './parse.ts'
import { evaluate, evaluateValue, MISSING, parseValue } from './template.ts'

const MEGABYTE = 1_000_000
/** What grows with the square of a megabyte takes minutes. Milliseconds, on a machine that does other things too. */
const PATIENCE = 30_000
const fill = (part: string) => part.repeat(Math.ceil(MEGABYTE / part.length))

function give(text: string, scope: object = {}): unknown {
  const parsed = parseTemplate(text)
  if (isFault(parsed)) throw new Error(parsed.message)
  return evaluate(parsed, scope, { now: 0 })
}
const code = (text: string, scope: object = {}): unknown => {
  try {
    return give(text, scope)
  } catch (error) {
    return (error as { code?: string }).code ?? error
  }
}

test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf', '__defineGetter__', 'length'])(
  'no prototype is reached: %s',
  (name) => {
    const scope = { a: {}, list: [1], s: 'text', f: 1 }
    for (const root of ['a.', 'list.', 's.', 'f.', '']) {
      expect(give(`{{ .${root}${name} }}`, scope)).toBe(MISSING)
      expect(give(`{{ ./${root}${name} }}`, scope)).toBe(MISSING)
      expect(give(`{{ .${root}${name}.x }}`, scope)).toBe(MISSING)
    }
    expect(give(`{{ index .a "${name}" }}`, scope)).toBe(MISSING)
    expect(give(`{{lookup this "${name}"}}`, scope)).toBe(MISSING)
    if (name !== 'toString') expect(parseTemplate(`{{ ${name} 1 }}`)).toMatchObject({ offset: 3 })
    expect(give(`{{ (fromJson .j).${name} }}`, { j: `{"${name}":1}` })).toBe(1)
  },
)

test('a member of the name __proto__ stays a member', () => {
  const parsed = parseValue(JSON.parse('{"__proto__":"{{ .x }}"}') as JsonValue)
  if ('faults' in parsed) throw new Error('fault')
  const value = evaluateValue(parsed, { x: 1 }, { now: 0 })
  expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
  expect(JSON.stringify(value)).toBe('{"__proto__":1}')
})

test.each([
  ['parentheses', `{{ ${'('.repeat(101)}.x${')'.repeat(101)} }}`],
  ['parentheses without end', `{{ ${'('.repeat(10_000)}`],
  ['calls', `{{ ${'upper (lower '.repeat(51)}.x${')'.repeat(51)} }}`.replaceAll('upper (lower', 'not (not (')],
  ['sub-expressions', `{{not ${'(not '.repeat(10_000)}x${')'.repeat(10_000)}}}`],
  ['pipes', `{{ .x${' | not'.repeat(101)} }}`],
  ['if', `${'{{ if .x }}'.repeat(101)}${'{{ end }}'.repeat(101)}`],
  ['#if', `${'{{#if x}}'.repeat(101)}${'{{/if}}'.repeat(101)}`],
  ['else with', `{{#with x}}${'{{else with x}}'.repeat(101)}{{/with}}`],
])('nesting is bounded: %s', (_what, text) => {
  expect(parseTemplate(text)).toMatchObject({ message: expect.stringMatching(/more than 100/) as string })
})

test('a long chain of else if is no nesting', () => {
  expect(give(`{{ if .x }}${'{{ else if .x }}'.repeat(5000)}{{ else }}b{{ end }}`)).toBe('b')
  expect(give(`{{#if x}}${'{{else if x}}'.repeat(5000)}{{else}}b{{/if}}`)).toBe('b')
})

test('values nested beyond the stack are an error', () => {
  let deep: JsonValue = 1
  for (let level = 0; level < 100_000; level += 1) deep = [deep]
  expect(code('{{ json .d }}', { d: deep })).toBe('nesting_limit')
  expect(code('{{ eq .d .d }}', { d: deep })).toBe('nesting_limit')
  expect(parseValue(deep)).toHaveProperty('faults')
  expect(code('{{ fromJson .j }}', { j: '['.repeat(50_000) + ']'.repeat(50_000) })).toMatch(/value|nesting_limit/)
})

test('steps are bounded', () => {
  const scope = { l: Array.from({ length: 1000 }, (_, at) => at), s: 'x'.repeat(1_000_000) }
  expect(code('{{ range .l }}{{ range $.l }}{{ range $.l }}{{ end }}{{ end }}{{ end }}', scope)).toBe('step_limit')
  expect(code('{{ range .l }}{{ range $.l }}{{ $x := upper $.s }}{{ end }}{{ end }}', scope)).toBe('step_limit')
  expect(code('{{ range .l }}{{ range $.l }}{{ $x := eq $.l $.l }}{{ end }}{{ end }}', scope)).toBe('step_limit')
})

test('output is bounded, also on the way', () => {
  const scope = { l: Array.from({ length: 40 }, (_, at) => at), s: 'x'.repeat(1_000_000), e: 'é'.repeat(500_000) }
  expect(code('{{ range .l }}{{ $.s }}{{ end }}', scope)).toBe('output_limit')
  expect(code('{{ range .l }}{{ $.e }}{{ end }}', scope)).toBe('output_limit')
  expect(code('{{ $x := "ab" }}{{ range .l }}{{ $x = print $x $x }}{{ end }}', scope)).toBe('output_limit')
  expect(code('{{ $x := replace "x" "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy" .s }}{{ len $x }}', scope)).toMatch(
    /_limit/,
  )
  const value = parseValue(Array.from({ length: 40 }, () => 'a{{ .s }}'))
  if ('faults' in value) throw new Error('fault')
  expect(() => evaluateValue(value, scope, { now: 0 })).toThrow(/grows beyond/)
})

test.each([
  ['actions', fill('{{x}}')],
  ['different actions', Array.from({ length: 40_000 }, (_, at) => `{{x${at}.y${at}}}`).join('')],
  ['Go actions', fill('{{ .x }}')],
  ['comments', fill('{{!-- a --}}')],
  ['lines before a block', `{{x}}${'\n'.repeat(MEGABYTE)}x{{#if x}}{{/if}}`],
  ['blanks before a block', `{{x}}${' '.repeat(MEGABYTE)}x{{#if x}}{{/if}}`],
  ['open braces', fill('{{')],
  ['open braces and blanks', fill('{{ ')],
  ['braces', fill('{')],
  ['closing braces', `{{x}}${fill('}')}`],
  ['escapes', fill('\\{{x}}')],
  ['brackets', `{{${fill('[')}}}`],
  ['bracketed members', `{{${'a.[a.'.repeat(2000)}}}`.repeat(80)],
  ['members', `{{${'.[a]'.repeat(4000)}}}`.repeat(60)],
  ['dots', `{{ ${fill('.a')} }}`],
  ['hyphens', `{{ .${fill('a-')} }}`],
  ['as', `{{${fill('as ')}}}`],
  ['quotes', fill(`{{ "'" '"' }}`)],
  ['backslashes', `{{ "${fill('\\\\')}" }}`],
  ['an open quote', `{{ "${fill('\\"')}`],
  ['guards', `{{ if .a }}${fill('{{ .a.b.c }}')}{{ end }}`],
  ['variables', fill('{{ $x := .a }}')],
  ['long actions', Array.from({ length: 150 }, (_, at) => `{{coalesce x${at} ${'a.[b] '.repeat(999)}}}`).join('')],
  ['places', Array.from({ length: 150 }, (_, at) => `{{coalesce x${at} ${'abc.1 '.repeat(999)}}}`).join('')],
  ['long Go actions', Array.from({ length: 150 }, () => `{{ coalesce ${'.a["b"] '.repeat(999)}}}`).join('')],
  ['text', fill('text ')],
])(
  'a megabyte of %s takes time in proportion',
  (_what, text) => {
    const from = performance.now()
    const parsed = parseTemplate(text)
    if (!isFault(parsed)) expect(parsed.mentions.length).toBeLessThan(MEGABYTE)
    expect(performance.now() - from).toBeLessThan(PATIENCE)
  },
  PATIENCE,
)
