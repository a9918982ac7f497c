import { expect, test } from 'vitest'
import { HELPER_NAMES, HELPERS } from './helpers.ts'
import { isFault, parseTemplate } from './parse.ts'
import { evaluate, MISSING } from './template.ts'

const scope = {
  n: 5,
  s: 'Hello',
  list: [3, 1, 2],
  words: ['a', 'b'],
  none: [],
  o: { b: 1, a: 2 },
  nil: null,
  zero: 0,
  no: false,
  blank: '',
  big: JSON.rawJSON('12345678901234567890'),
  day: '2026-02-28T23:30:00Z',
  smile: 'a😀b',
}
const now = Date.UTC(2026, 0, 2, 3, 4, 5, 678)

function give(expression: string): unknown {
  const parsed = parseTemplate(`{{- ${expression} }}`)
  if (isFault(parsed)) throw new Error(parsed.message)
  return evaluate(parsed, scope, { now })
}

const EXAMPLES = [...HELPERS.values()].flatMap(({ example }) => (example ? [example] : []))

test.each(EXAMPLES)('the example {{ %s }} gives %j in both spellings', (write, gives) => {
  for (const [source, dialect] of [
    [`{{ ${write} }}`, 'handlebars'],
    [`{{- ${write} }}`, 'go'],
  ] as const) {
    const parsed = parseTemplate(source)
    const found = isFault(parsed) ? parsed.message : [parsed.dialect, evaluate(parsed, {}, { now })]
    expect(found).toEqual([dialect, gives])
  }
})

const RIGHT: [string, unknown][] = [
  ['eq .n 5.0', true],
  ['eq .n 1 2 5', true],
  ['eq .nil 5', false],
  ['eq .nil nil', true],
  ['eq .list .list', true],
  ['eq .o (fromJson `{"a":2,"b":1}`)', true],
  ['eq .big 12345678901234567890', true],
  ['eq .big 12345678901234567891', false],
  ['ne .s "x"', true],
  ['lt 2 10', true],
  ['lt "10" "2"', true],
  ['le .n 5', true],
  ['gt .big 5', true],
  ['ge 1 2', false],
  ['and .n .s', 'Hello'],
  ['and .zero (div 1 0)', 0],
  ['or .zero .s (div 1 0)', 'Hello'],
  ['or .absent .blank', ''],
  ['or .blank .absent', MISSING],
  ['and .absent .s', MISSING],
  ['not .absent', true],
  ['not .o', false],
  ['exists .nil', true],
  ['exists .nil.x', false],
  ['default 1 .zero', 0],
  ['default 1 .no', false],
  ['default 1 .blank', 1],
  ['default 1 .nil', 1],
  ['default .absent .absent', MISSING],
  ['coalesce .absent .nil .blank .no', false],
  ['coalesce .absent .nil', null],
  ['ternary "y" (div 1 0) .n', 'y'],
  ['ternary "y" "n" .none', 'n'],
  ['index .list 0', 3],
  ['index .o "a"', 2],
  ['index .list -1', MISSING],
  ['index .list "length"', MISSING],
  ['len .smile', 3],
  ['len .o', 2],
  ['slice .smile 1 2', '😀'],
  ['slice .list 1', [1, 2]],
  ['printf "%s=%03d" .s 7', 'Hello=007'],
  ['printf "%s %v" .list .big', '[3,1,2] 12345678901234567890'],
  ['print .o', '{"b":1,"a":2}'],
  ['println', '\n'],
  ['json .s', '"Hello"'],
  ['json .big', '12345678901234567890'],
  ['fromJson `[1,{"a":null}]`', [1, { a: null }]],
  ['json (fromJson `[12345678901234567890]`)', '[12345678901234567890]'],
  ['quote .n', '"5"'],
  ['upper .s', 'HELLO'],
  ['lower .s', 'hello'],
  ['trim " a "', 'a'],
  ['trimPrefix "He" .s', 'llo'],
  ['trimSuffix "lo" .s', 'Hel'],
  ['replace "l" "L" .s', 'HeLLo'],
  ['replace "l" "$&" .s', 'He$&$&o'],
  ['split "l" .s', ['He', '', 'o']],
  ['split "" .smile', ['a', '😀', 'b']],
  ['join "-" .list', '3-1-2'],
  ['contains "ell" .s', true],
  ['contains 2 .list', true],
  ['contains "2" .list', false],
  ['hasPrefix "He" .s', true],
  ['hasSuffix "He" .s', false],
  ['first .list', 3],
  ['last .list', 2],
  ['last .none', MISSING],
  ['keys .o', ['a', 'b']],
  ['values .o', [2, 1]],
  ['add 1 2 3', 6],
  ['sub 5 7', -2],
  ['mul 2 3.5', 7],
  ['div 7 2', 3.5],
  ['mod 7 4', 3],
  ['round 2.5', 3],
  ['round -2.5', -3],
  ['round 1.005 2', 1.01],
  ['round 1234.5 -2', 1200],
  ['round 0.0000001 3', 0],
  ['floor -1.5', -2],
  ['ceil 1.2', 2],
  ['toString .list', '[3,1,2]'],
  ['toNumber " 1e3 "', 1000],
  ['toBool "True"', true],
  ['now', '2026-01-02T03:04:05.678Z'],
  ['now | date "RFC3339"', '2026-01-02T03:04:05Z'],
  ['date "Mon, 2 Jan 2006 15:04:05.000" .day', 'Sat, 28 Feb 2026 23:30:00.000'],
  ['date "Monday January _2 06 3:04 PM 002 -0700" .day', 'Saturday February 28 26 11:30 PM 059 +0000'],
  ['date "YYYY-MM-DDTHH:mm:ss.SSSZ" .day', '2026-02-28T23:30:00.000Z'],
  ['date "DateOnly" 86400', '1970-01-02'],
  ['date "Kitchen" "2026-01-02T00:05:00+01:00"', '11:05PM'],
  ['.day | dateAdd "1h30m"', '2026-03-01T01:00:00.000Z'],
  ['dateAdd "-7d" "2026-01-03"', '2025-12-27T00:00:00.000Z'],
  ['unixTime', 1767323045],
  ['unixTime "1970-01-01T00:00:01.9Z"', 1],
]

test.each(RIGHT)('%s', (expression, value) => {
  expect(give(expression)).toEqual(value)
})

test('every helper is tried', () => {
  const tried = new Set(RIGHT.flatMap(([expression]) => expression.match(/\w+/g) ?? []))
  expect(HELPER_NAMES.filter((name) => !tried.has(name))).toEqual([])
})

test.each<[string, string, RegExp]>([
  ['eq .n "5"', 'value', /eq compares a number \(5\) with a string \("5"\)/],
  ['ne .list .o', 'value', /ne compares a list with an object/],
  ['lt .nil 1', 'value', /lt compares two numbers or two strings, got null and a number/],
  ['lt true false', 'value', /a boolean/],
  ['eq .absent 1', 'missing', /absent is missing/],
  ['upper .absent', 'missing', /absent is missing/],
  ['upper .n', 'type', /upper: argument 1 must be a string, got a number \(5\)/],
  ['add .n .s', 'type', /add: argument 2 must be a number/],
  ['add .big 1', 'type', /at most 15 digits/],
  ['mul 1e200 1e200', 'value', /no number that JSON can hold/],
  ['div .n .zero', 'value', /division by zero/],
  ['mod .n 0', 'value', /division by zero/],
  ['round 1.5 99', 'value', /at most 15/],
  ['slice .list 2 9', 'value', /outside of a list of 3/],
  ['slice .list 1.5', 'type', /a whole number/],
  ['slice .o 1', 'type', /a string or list/],
  ['len .n', 'type', /a string, list or object/],
  ['index .list .o', 'type', /argument 2/],
  ['index .list true', 'value', /a key is a string or a number/],
  ['printf "%d" .s', 'value', /%d needs a whole number, got a string/],
  ['printf "%d" 1.5', 'value', /%d needs a whole number/],
  ['printf "%f" .s', 'value', /%f needs a number/],
  ['printf "%t" .s', 'value', /%t needs a boolean/],
  ['printf "%x" .n', 'value', /%x is none of/],
  ['printf "%"', 'value', /% is none of/],
  ['printf "%s"', 'value', /no argument/],
  ['printf "%s" 1 2', 'value', /1 more arguments/],
  ['printf "%99999s" 1', 'value', /too wide/],
  ['fromJson .s', 'value', /a string \("Hello"\) is not JSON/],
  ['fromJson (printf "%s%s" (replace "x" "[[[[[[[[[[" "xxxxxxxxxxx") "")', 'value', /not JSON/],
  ['replace "" "x" .s', 'value', /empty/],
  ['contains 1 .s', 'value', /looks for a string/],
  ['contains "a" .o', 'value', /looks into a string or a list/],
  ['toNumber "plenty"', 'value', /is no number/],
  ['toNumber "0x10"', 'value', /is no number/],
  ['toBool "yes"', 'value', /is no boolean/],
  ['date "DateOnly" "2026-02-30"', 'type', /a date such as/],
  ['date "DateOnly" "soon"', 'type', /a date such as/],
  ['date "xyz" .day', 'value', /names no part of a date/],
  ['date "DateOnly" 1e300', 'value', /outside of the calendar/],
  ['dateAdd "soon" .day', 'value', /no duration/],
])('%s is an error', (expression, code, message) => {
  // Literals of a wrong type are refused when the template is read.
  const parsed = parseTemplate(`{{- ${expression} }}`)
  if (isFault(parsed)) expect(parsed.message).toMatch(message)
  else {
    const wrong = { code, message: expect.stringMatching(message) as string }
    expect(() => give(expression)).toThrow(expect.objectContaining(wrong) as Error)
  }
})
