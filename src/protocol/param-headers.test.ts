import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { JsonObject, JsonValue } from '../model/json.ts'
import { parseJson } from './json.ts'
import type { ParamHeaders } from './param-headers.ts'
import { paramHeaderMismatch, paramHeaderPairs, paramHeadersOf } from './param-headers.ts'

const tool = (properties: JsonObject, rest: JsonObject = {}): JsonObject => ({
  name: 't',
  inputSchema: { type: 'object', properties, ...rest },
})
const marked = (header: JsonValue, type: JsonValue = 'string'): JsonObject => ({ type, 'x-mcp-header': header })

function valid(properties: JsonObject): ParamHeaders {
  const headers = paramHeadersOf(tool(properties))
  if (typeof headers !== 'object') throw new Error(String(headers))
  return headers
}

const HEADERS = valid({
  region: marked('Region'),
  priority: marked('Priority', 'integer'),
  verbose: marked('Verbose', 'boolean'),
  query: { type: 'string' },
  outer: { type: 'object', properties: { inner: marked('Inner') } },
})

function headersFrom(pairs: readonly string[]): Record<string, string> {
  const received: Record<string, string> = {}
  for (let at = 0; at < pairs.length; at += 2) received[String(pairs[at]).toLowerCase()] = String(pairs[at + 1])
  return received
}

const mismatch = (args: JsonValue | undefined, received: Record<string, string>) =>
  paramHeaderMismatch(HEADERS, (key) => (Object.hasOwn(received, key) ? received[key] : undefined), { arguments: args })

test('a tool without annotations has none, and is looked at once', () => {
  let looks = 0
  const plain = {
    get inputSchema() {
      looks++
      return { type: 'object', properties: { a: { type: 'string', default: { 'x-mcp-header': 'data' } } } }
    },
  }
  expect(paramHeadersOf(plain)).toBeUndefined()
  expect(paramHeadersOf(plain)).toBeUndefined()
  expect(looks).toBe(1)
  for (const inputSchema of [undefined, null, true, [], 'x']) expect(paramHeadersOf({ inputSchema })).toBeUndefined()
  // The name of a property, not an annotation.
  expect(paramHeadersOf(tool({ 'x-mcp-header': { type: 'string' } }))).toBeUndefined()
})

test('annotated arguments, at any depth of properties', () => {
  expect(HEADERS).toEqual([
    { name: 'Mcp-Param-Region', key: 'mcp-param-region', path: ['region'], integer: false },
    { name: 'Mcp-Param-Priority', key: 'mcp-param-priority', path: ['priority'], integer: true },
    { name: 'Mcp-Param-Verbose', key: 'mcp-param-verbose', path: ['verbose'], integer: false },
    { name: 'Mcp-Param-Inner', key: 'mcp-param-inner', path: ['outer', 'inner'], integer: false },
  ])
})

// The faults of conformance scenario http-invalid-tool-headers.
test.each<[JsonObject, string]>([
  [{ a: marked('') }, 'not the name of a header'],
  [{ a: marked(5) }, 'not the name of a header'],
  [{ a: marked('My Region') }, 'not the name of a header'],
  [{ a: marked('Region:Primary') }, 'not the name of a header'],
  [{ a: marked('Région') }, 'not the name of a header'],
  [{ a: marked('Region\t1') }, 'not the name of a header'],
  [{ a: marked('Region\r\nX: y') }, 'not the name of a header'],
  [{ a: marked('A', 'number') }, 'something else than'],
  [{ a: marked('A', 'object') }, 'something else than'],
  [{ a: marked('A', 'array') }, 'something else than'],
  [{ a: marked('A', 'null') }, 'something else than'],
  [{ a: marked('A', ['string', 'null']) }, 'something else than'],
  [{ a: { 'x-mcp-header': 'A' } }, 'something else than'],
  [{ a: marked('Region'), b: marked('Region') }, 'at two arguments'],
  [{ a: marked('MyField'), b: { type: 'object', properties: { c: marked('myfield') } } }, 'at two arguments'],
])('%j is refused: %s', (properties, problem) => {
  expect(paramHeadersOf(tool(properties))).toContain(problem)
})

test.each<[string, JsonValue]>([
  ['x-mcp-header', 'A'],
  ['items', marked('A')],
  ['items', [marked('A')]],
  ['properties', { a: { items: { properties: { b: marked('A') } } } }],
  ['additionalProperties', marked('A')],
  ['patternProperties', { x: marked('A') }],
  ['oneOf', [{ properties: { a: marked('A') } }]],
  ['anyOf', [marked('A')]],
  ['allOf', [marked('A')]],
  ['not', marked('A')],
  ['if', { properties: { a: marked('A') } }],
  ['then', { properties: { a: marked('A') } }],
  ['else', marked('A')],
  ['$defs', { d: marked('A') }],
  ['definitions', { d: marked('A') }],
  ['dependencies', { d: ['x'], e: marked('A') }],
])('an annotation that properties alone do not reach: %s %j', (keyword, value) => {
  expect(paramHeadersOf({ inputSchema: { [keyword]: value } })).toContain('through "properties" alone')
})

test('a fault does not grow with what was sent', () => {
  const fault = paramHeadersOf(tool({ ['a'.repeat(1e5)]: marked('') }))
  expect(fault?.length).toBeLessThan(500)
  expect(fault).toContain('aaa...')
})

// The values of conformance scenario http-custom-headers.
test.each<[JsonValue, string[]]>([
  [{ region: 'us-west1', query: 'q' }, ['Mcp-Param-Region', 'us-west1']],
  [{ region: 'us west 1' }, ['Mcp-Param-Region', 'us west 1']],
  [{ region: '' }, ['Mcp-Param-Region', '=?base64??=']],
  [{ region: ' padded ' }, ['Mcp-Param-Region', '=?base64?IHBhZGRlZCA=?=']],
  [{ region: 'Hello, 世界' }, ['Mcp-Param-Region', '=?base64?SGVsbG8sIOS4lueVjA==?=']],
  [{ region: 'line1\nline2' }, ['Mcp-Param-Region', '=?base64?bGluZTEKbGluZTI=?=']],
  [{ region: '=?base64?literal?=' }, ['Mcp-Param-Region', '=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=']],
  [{ priority: 42, verbose: false }, ['Mcp-Param-Priority', '42', 'Mcp-Param-Verbose', 'false']],
  [{ priority: -7, verbose: true }, ['Mcp-Param-Priority', '-7', 'Mcp-Param-Verbose', 'true']],
  [{ outer: { inner: 'x' } }, ['Mcp-Param-Inner', 'x']],
  [{ region: null, outer: null }, []],
  [{ region: ['a'], outer: { inner: {} } }, []],
  [{ priority: 2 ** 53 }, []],
  [{}, []],
  [null, []],
  [[], []],
])('%j is sent as %j', (args, pairs) => {
  expect(paramHeaderPairs(HEADERS, { arguments: args })).toEqual(pairs)
  expect(mismatch(args, headersFrom(pairs))).toBeUndefined()
})

// The cases of conformance scenario http-custom-header-server-validation, and the table of the specification.
test.each<[JsonValue, Record<string, string>, string | undefined]>([
  [{ region: 'Hello' }, { 'mcp-param-region': '=?base64?SGVsbG8=?=' }, undefined],
  [{ region: 'Hello' }, { 'mcp-param-region': '=?base64?SGVsbG8?=' }, 'broken base64'],
  [{ region: 'Hello' }, { 'mcp-param-region': '=?base64?SGVs!!!bG8=?=' }, 'broken base64'],
  [{ region: 'SGVsbG8=' }, { 'mcp-param-region': 'SGVsbG8=' }, undefined],
  [{ region: '=?base64?SGVsbG8=' }, { 'mcp-param-region': '=?base64?SGVsbG8=' }, undefined],
  [{ region: 'test-value' }, {}, 'Mcp-Param-Region is required for the argument region'],
  [{ region: 'a' }, { 'mcp-param-region': 'A' }, 'Mcp-Param-Region says A'],
  [{ priority: 42 }, { 'mcp-param-priority': '42.0' }, undefined],
  [{ priority: 42 }, { 'mcp-param-priority': '42.5' }, 'says 42.5'],
  [{ priority: 42 }, { 'mcp-param-priority': '0x2a' }, 'says 0x2a'],
  [{ priority: '42' }, { 'mcp-param-priority': '42.0' }, 'says 42.0'],
  [{ verbose: true }, { 'mcp-param-verbose': 'TRUE' }, 'says TRUE'],
  [{ outer: { inner: 'x' } }, { 'mcp-param-inner': 'y' }, 'argument outer.inner'],
  [{}, { 'mcp-param-region': 'a' }, 'says a'],
  [{ region: null }, { 'mcp-param-region': 'null' }, 'says null'],
  [{}, { 'mcp-param-query': 'a', 'mcp-param-other': 'b' }, undefined],
])('%j with %j: %s', (args, received, problem) => {
  if (problem === undefined) expect(mismatch(args, received)).toBeUndefined()
  else expect(mismatch(args, received)).toContain(problem)
})

test('an integer that JavaScript cannot hold is compared as it is spelled, and needs no header', () => {
  const args = parseJson('{"priority":12345678901234567890}')
  expect(paramHeaderPairs(HEADERS, { arguments: args })).toEqual([])
  expect(mismatch(args, {})).toBeUndefined()
  expect(mismatch(args, { 'mcp-param-priority': '12345678901234567890' })).toBeUndefined()
  expect(mismatch(args, { 'mcp-param-priority': '12345678901234567891' })).toContain('says')
})

test('only own members of arguments count', () => {
  const odd = valid({ constructor: marked('A'), rawJSON: marked('B'), a: { properties: { rawJSON: marked('C') } } })
  expect(paramHeaderPairs(odd, { arguments: parseJson('{"a":12345678901234567890}') })).toEqual([])
})

const primitive = fc.oneof(fc.string({ unit: 'binary' }), fc.maxSafeInteger(), fc.boolean(), fc.double({ noNaN: true }))
const anyArguments = fc.record(
  { region: primitive, priority: primitive, verbose: primitive, outer: fc.record({ inner: primitive }) },
  { requiredKeys: [] },
)

test('what a client of ours sends, a door of ours takes', () => {
  fc.assert(
    fc.property(anyArguments, (sent) => {
      const args = parseJson(JSON.stringify(sent))
      expect(mismatch(args, headersFrom(paramHeaderPairs(HEADERS, { arguments: args })))).toBeUndefined()
    }),
  )
})

test('half of a surrogate pair can still be called with', () => {
  const pairs = paramHeaderPairs(HEADERS, { arguments: { region: '\ud800' } })
  expect(mismatch({ region: '\ud800' }, headersFrom(pairs))).toBeUndefined()
})

test('headers hold visible ASCII only, whatever was sent', () => {
  fc.assert(
    fc.property(anyArguments, (sent) => {
      for (const text of paramHeaderPairs(HEADERS, { arguments: sent })) expect(text).toMatch(/^[\x20-\x7e]+$/)
    }),
  )
})

test('any schema and any arguments are taken without a crash', () => {
  const keyword = fc.constantFrom('properties', 'items', 'oneOf', '$defs', 'x-mcp-header', 'type', 'inputSchema')
  const { node } = fc.letrec<{ node: JsonValue }>((tie) => ({
    node: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom<JsonValue>('string', 'integer', 'A', '', null, 5, true),
      fc.array(tie('node'), { maxLength: 3 }),
      fc.dictionary(keyword, tie('node'), { maxKeys: 4 }),
    ),
  }))
  fc.assert(
    fc.property(node, fc.jsonValue(), (inputSchema, args) => {
      const headers = paramHeadersOf({ inputSchema })
      if (typeof headers !== 'object') return
      const params = { arguments: args }
      const received = headersFrom(paramHeaderPairs(headers, params))
      expect(paramHeaderMismatch(headers, (key) => received[key], params)).toBeUndefined()
    }),
  )
})
