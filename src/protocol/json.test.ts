import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { JsonValue } from '../model/json.ts'
import { isRawNumber, parseJson } from './json.ts'

test.each(['12345678901234567890', '1e400', '-1e400', '1e-400', '0.1234567890123456789', '9007199254740993'])(
  '%s keeps its spelling',
  (number) => {
    expect(isRawNumber(parseJson(number))).toBe(true)
    expect(JSON.stringify(parseJson(`{"a":[${number}]}`))).toBe(`{"a":[${number}]}`)
  },
)

test.each([
  ['9007199254740992', 9_007_199_254_740_992],
  ['1e5', 100_000],
  ['1.50000000000000000000', 1.5],
  ['0e999999999', 0],
  ['100000000000000000000', 1e20],
  ['-0.0', -0],
  ['5e-324', 5e-324],
  ['1.7976931348623157e308', Number.MAX_VALUE],
])('%s is a plain number', (text, number) => {
  expect(parseJson(text)).toBe(number)
})

test('objects and strings are not numbers that kept their spelling', () => {
  for (const value of [{}, [], '1e400', null, { rawJSON: '1' }]) expect(isRawNumber(value)).toBe(false)
})

/** What it must be like: slow, and plain to see. */
function reference(text: string): JsonValue {
  type Reviver = (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown
  return (JSON.parse as (text: string, reviver: Reviver) => JsonValue)(text, (_key, value, { source }) =>
    typeof value !== 'number' || source === undefined || isSame(source, value) ? value : JSON.rawJSON(source),
  )
}

function isSame(source: string, value: number): boolean {
  if (Math.abs(value) >= 1e21 && /^-?\d+$/.test(source)) return false
  return Number.isFinite(value) && canonical(source) === canonical(String(value))
}

function canonical(number: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(number) ?? []
  const digits = whole + fraction
  const lead = digits.search(/[1-9]/)
  return lead === -1 ? '0' : `${sign}${digits.slice(lead).replace(/0+$/, '')}e${whole.length - lead + Number(exponent)}`
}

/** Numbers that are kept become visible, and the order of members. */
function seen(parse: (text: string) => JsonValue, text: string): string {
  const show = (value: JsonValue | undefined): string => {
    if (isRawNumber(value)) return `raw ${JSON.stringify(value)}`
    if (Array.isArray(value)) return `[${value.map(show).join()}]`
    if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? '-0' : (JSON.stringify(value) ?? '')
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    return `{${Object.keys(value)
      .map((key) => `${JSON.stringify(key)}:${show(value[key])}`)
      .join()}}`
  }
  try {
    return show(parse(text))
  } catch (error) {
    expect(error).toBeInstanceOf(SyntaxError)
    return String(error)
  }
}

const digits = (most: number) => fc.stringMatching(new RegExp(`^\\d{1,${most}}$`))
const numbers = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('', '-'),
      fc.oneof(fc.constant('0'), fc.stringMatching(/^[1-9]\d{0,24}$/)),
      fc.oneof(
        fc.constant(''),
        digits(22).map((part) => `.${part}`),
        digits(8).map((part) => `.000000000${part}`),
      ),
      fc.oneof(
        fc.constant(''),
        fc.tuple(fc.constantFrom('e', 'E', 'e+', 'e-', 'E-00'), digits(3)).map((parts) => parts.join('')),
      ),
    )
    .map((parts) => parts.join('')),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number.toExponential()),
  // Digits that a double has, and one more or less.
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number.toPrecision(18)),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number.toPrecision(16)),
  fc.constantFrom(
    '1e21',
    '1e22',
    '1000000000000000000000',
    '999999999999999999999',
    '2.2250738585072011e-308',
    '4e-324',
  ),
  // What could be taken for something that stands in for a number.
  fc.integer({ min: 0, max: 3 }).map((more) => String(-900_000_000_000_000 - more)),
  fc.constantFrom(
    '-9e14',
    '-9.00000000000001E14',
    '-0.9e15',
    '-900000000000000.5',
    '-900000000000001.0000000000000000',
  ),
)
const keys = fc.constantFrom('"a"', '"b"', '"1"', '"__proto__"', '"constructor"', '"1e400"', '"\\"1e400"', '""')
const strings = fc.constantFrom('"1e400"', '"\\"[1e400,"', '"\\\\"', '": -9e14"', '"\\u002d9e14"', '""')
const space = fc.constantFrom('', '', ' ', '\n\t')
const { value: json } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    numbers,
    strings,
    fc.constantFrom('true', 'false', 'null', '[]', '{}'),
    fc
      .tuple(fc.array(tie('value'), { maxLength: 5 }), space)
      .map(([items, gap]) => `[${gap}${items.join(`${gap},`)}${gap}]`),
    fc
      .tuple(fc.array(fc.tuple(keys, tie('value')), { maxLength: 5 }), space)
      .map(([members, gap]) => `{${members.map(([key, value]) => `${gap}${key}${gap}:${gap}${value}`).join()}${gap}}`),
  ),
}))

test('every text gives what a reviver that is shown the source would give', () => {
  fc.assert(
    fc.property(json, (text) => {
      expect(seen(parseJson, text)).toBe(seen(reference, text))
    }),
    { numRuns: 10_000 },
  )
})

test('a text that is spoilt is refused, or read, in the same words', () => {
  const spoils = fc.constantFrom('1', 'e', '-', '.', '+', '"', '\\', '{', ']', ',', '1e400', '-9e14', '00', ' ', 'true')
  fc.assert(
    fc.property(json, fc.nat(), fc.nat({ max: 3 }), spoils, (text, at, less, spoil) => {
      const where = at % (text.length + 1)
      const spoilt = text.slice(0, where) + spoil + text.slice(where + less)
      expect(seen(parseJson, spoilt)).toBe(seen(reference, spoilt))
    }),
    { numRuns: 20_000 },
  )
})

test.each([
  '{1e400:1}',
  '{"a":1,1e400}',
  '01e400',
  '1e400e5',
  '[1.e400]',
  '[.1e400]',
  '[+1e400]',
  '[1e400-]',
  '-',
  '[1e]',
])('%s stays invalid', (text) => {
  expect(() => parseJson(text)).toThrow(SyntaxError)
})

test('of duplicate members the last one counts, and "__proto__" is one like any other', () => {
  expect(JSON.stringify(parseJson('{"a":1e400,"a":2,"b":3,"b":2e400}'))).toBe('{"a":2,"b":2e400}')
  const value = parseJson('{"__proto__":1e400,"x":{"__proto__":{"polluted":1e400}}}')
  expect(JSON.stringify(value)).toBe('{"__proto__":1e400,"x":{"__proto__":{"polluted":1e400}}}')
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
})

test('depth is no concern', () => {
  const depth = 1_000_000
  let value = parseJson(`${'['.repeat(depth)}1e400${']'.repeat(depth)}`)
  while (Array.isArray(value)) value = value[0] ?? null
  expect(isRawNumber(value)).toBe(true)
})

const list = (count: number, one: (index: number) => string) =>
  `[${Array.from({ length: count }, (_, index) => one(index)).join()}]`
test.each<[what: string, text: string]>([
  ['numbers with an exponent', list(800_000, () => '1e1')],
  ['numbers of seventeen digits', list(440_000, (index) => `9007199254${1_000_001 + 2 * index}`)],
  ['fractions of seventeen digits', list(420_000, (index) => `0.12345678901${100_001 + 2 * index}`)],
  ['numbers of which JavaScript knows nothing', list(1_000_000, () => '1e999')],
  ['objects beside an inexact number', list(800_000, (index) => (index === 0 ? '1e999' : '{"a":1}'))],
])('megabytes of %s are read in a moment', (_what, text) => {
  const cpu = process.cpuUsage()
  parseJson(text)
  // About three times what it takes where nothing else runs.
  expect(process.cpuUsage(cpu).user / 1000).toBeLessThan(1500)
})
