import { expect, test } from 'vitest'
import type { JsonObject, JsonValue } from '../../model/json.ts'
import { convertExactly } from './convert.ts'
import { checkElicitationSchema } from './elicitation.ts'
import { checkArguments } from './literals.ts'
import { nodeOf, typeAt } from './node.ts'
import { checkSchema } from './shape.ts'
import { validatorFor, validator } from './validate.ts'

const at = (schema: JsonValue, ...path: (string | number)[]) => {
  const found = typeAt(nodeOf(schema), path)
  return typeof found === 'string' ? found : found.schema
}
const TEXT = { type: 'string' }

test.each<[string, JsonValue, (string | number)[], JsonValue]>([
  ['a property', { properties: { a: TEXT } }, ['a'], TEXT],
  ['one that is not named', { properties: { a: TEXT } }, ['b'], 'absent'],
  ['one that is refused', { properties: { a: TEXT }, additionalProperties: false }, ['b'], 'absent'],
  ['one that is allowed', { properties: { a: TEXT }, additionalProperties: true }, ['b'], 'unknown'],
  ['others have a schema', { properties: {}, additionalProperties: TEXT }, ['b'], TEXT],
  ['nothing is named', { type: 'object' }, ['b'], 'unknown'],
  ['a schema that says nothing', true, ['b'], 'unknown'],
  ['a schema that refuses all', false, ['b'], 'absent'],
  ['a scalar has no members', TEXT, ['b'], 'absent'],
  ['own members only', { properties: { a: TEXT } }, ['constructor'], 'absent'],
  [
    'patterns are not run',
    { properties: {}, patternProperties: { '^(a+)+$': TEXT }, additionalProperties: false },
    ['aaab'],
    'unknown',
  ],
  [
    'a reference',
    { $defs: { x: { properties: { a: TEXT } } }, properties: { p: { $ref: '#/$defs/x' } } },
    ['p', 'a'],
    TEXT,
  ],
  [
    'an older reference',
    { definitions: { 'a/b': TEXT }, properties: { p: { $ref: '#/definitions/a~1b' } } },
    ['p', 'q'],
    'absent',
  ],
  ['an anchor', { $defs: { x: { $anchor: 'here', properties: { a: TEXT } } }, $ref: '#here' }, ['a'], TEXT],
  ['another document', { properties: { p: { $ref: 'https://example.com/x' } } }, ['p', 'a'], 'unknown'],
  ['a reference to nothing', { properties: { p: { $ref: '#/$defs/none' } } }, ['p', 'a'], 'unknown'],
  ['itself', { properties: { next: { $ref: '#' }, a: TEXT } }, ['next', 'next', 'next', 'a'], TEXT],
  [
    'a circle of references',
    { $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } } },
    ['x'],
    'unknown',
  ],
  ['all of', { allOf: [{ properties: { a: TEXT } }, { properties: { b: {} } }] }, ['a'], TEXT],
  ['none of all', { allOf: [{ properties: { a: TEXT } }, { properties: { b: {} } }] }, ['c'], 'absent'],
  ['any of', { anyOf: [{ properties: { a: TEXT } }, { type: 'null' }] }, ['a'], { anyOf: [TEXT] }],
  ['none of any', { oneOf: [{ properties: { a: TEXT } }, { properties: { b: TEXT } }] }, ['c'], 'absent'],
  ['one of any is silent', { anyOf: [{ properties: { a: TEXT } }, {}] }, ['c'], 'unknown'],
  ['an item', { type: 'array', items: TEXT }, [3], TEXT],
  ['an item by text', { type: 'array', items: TEXT }, ['3'], TEXT],
  ['no member of a list', { type: 'array', items: TEXT }, ['x'], 'absent'],
  ['a tuple', { type: 'array', prefixItems: [TEXT, { type: 'integer' }], items: false }, [1], { type: 'integer' }],
  ['beyond a tuple', { type: 'array', prefixItems: [TEXT], items: false }, [1], 'absent'],
  ['an older tuple', { type: 'array', items: [TEXT], additionalItems: { type: 'null' } }, [1], { type: 'null' }],
  ['nullable', { type: ['object', 'null'], properties: { a: TEXT } }, ['a'], TEXT],
])('typeAt: %s', (_label, schema, path, expected) => {
  expect(at(schema, ...path)).toEqual(expected)
})

test('giants and endless schemas end', () => {
  const endless = { anyOf: Array.from({ length: 50 }, () => ({ $ref: '#' })) }
  const deep = {
    allOf: [{ $ref: '#' }],
    anyOf: [{ $ref: '#' }, { allOf: [{ $ref: '#' }] }],
    properties: { a: { $ref: '#' } },
  }
  const wide = { allOf: Array.from({ length: 5000 }, (_, index) => ({ properties: { [`p${index}`]: {} } })) }
  const started = performance.now()
  expect(at(endless, 'a')).toBe('unknown')
  expect(at(deep, 'a', 'a', 'b')).toBeDefined()
  expect(at(wide, 'q')).toBe('unknown')
  expect(checkArguments(nodeOf(endless), { a: { b: [1] } })).toEqual([])
  let nested: JsonObject = {}
  for (let level = 0; level < 2000; level++) nested = { properties: { a: nested } }
  expect(at(nested, ...Array.from({ length: 500 }, () => 'a'))).toBeDefined()
  expect(performance.now() - started).toBeLessThan(2000)
})

test.each<[JsonValue, JsonValue, JsonValue | undefined]>([
  ['100', { type: 'integer' }, 100],
  ['100', { type: 'number' }, 100],
  ['1e3', { type: 'number' }, 1000],
  ['-0.5', { type: 'number' }, -0.5],
  ['0.5', { type: 'integer' }, undefined],
  ['plenty', { type: 'number' }, undefined],
  ['1e400', { type: 'number' }, undefined],
  ['0x10', { type: 'number' }, undefined],
  ['', { type: 'number' }, undefined],
  [' 1', { type: 'number' }, undefined],
  ['true', { type: 'boolean' }, true],
  ['True', { type: 'boolean' }, undefined],
  ['null', { type: ['integer', 'null'] }, null],
  ['["a"]', { type: 'array' }, ['a']],
  ['{"a": 1}', { type: 'object' }, { a: 1 }],
  ['[1', { type: 'array' }, undefined],
  ['5', { type: ['string', 'integer'] }, '5'],
  ['5', { anyOf: [{ type: 'integer' }, { type: 'boolean' }] }, 5],
  ['5', { enum: [5, 6] }, 5],
  ['5', {}, '5'],
  [5, { type: 'string' }, 5],
])('convertExactly: %j as %j', (value, schema, expected) => {
  const result = convertExactly(value, nodeOf(schema))
  expect(result.ok ? result.value : undefined).toEqual(expected)
})

test('a number that JavaScript cannot hold is kept exactly', () => {
  const result = convertExactly('12345678901234567890', nodeOf({ type: 'integer' }))
  expect(JSON.stringify(result)).toBe('{"ok":true,"value":12345678901234567890}')
})

const faults = (schema: JsonValue, value: JsonValue) =>
  checkArguments(nodeOf(schema), value, { isTemplate: (text) => text.includes('{{'), member: 'argument' }).map(
    ({ path, message, hint }) => `${path.join('.')}: ${message}${hint === undefined ? '' : ` (${hint})`}`,
  )

test('alternatives are faults only when none fits', () => {
  const schema = {
    type: 'object',
    properties: {
      to: { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] },
      how: {
        oneOf: [
          { type: 'object', properties: { kind: { const: 'a' }, x: { type: 'integer' } }, required: ['kind', 'x'] },
          { type: 'object', properties: { kind: { const: 'b' } }, required: ['kind'] },
        ],
      },
    },
    anyOf: [{ required: ['to'] }, { required: ['how'] }],
  }
  expect(faults(schema, { to: 'x' })).toEqual([])
  expect(faults(schema, { to: ['x', '{{ y }}'] })).toEqual([])
  expect(faults(schema, { to: [3] })).toEqual(['to.0: expected text, found 3'])
  expect(faults(schema, { to: 3 })).toEqual(['to: expected text or a list, found 3'])
  expect(faults(schema, { how: { kind: 'a', x: '3' } })).toEqual([])
  expect(faults(schema, { how: { kind: '{{ k }}' } })).toEqual([])
  expect(faults(schema, { how: { kind: 'c' } })).toEqual(['how.kind: "c" fits none of the 2 alternatives'])
  expect(faults(schema, {})).toEqual([': an object fits none of the 2 alternatives'])
  expect(faults(schema, { tu: 'x' })).toEqual(['tu: there is no argument "tu" (did you mean "to"?)'])
})

test('the forms of the protocol are taken, and nothing else', () => {
  const good = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    required: ['mail'],
    properties: {
      mail: { type: 'string', title: 'Mail', format: 'email', minLength: 3, default: 'a@b' },
      level: { type: 'integer', minimum: 1, maximum: 5, default: 2 },
      sure: { type: 'boolean', description: 'Sure?', default: true },
      color: { type: 'string', enum: ['r', 'g'], enumNames: ['Red', 'Green'] },
      size: { type: 'string', oneOf: [{ const: 's', title: 'Small' }] },
      many: { type: 'array', items: { type: 'string', enum: ['x'] }, minItems: 1, default: ['x'] },
      titled: { type: 'array', items: { anyOf: [{ const: 's', title: 'Small' }] } },
    },
  }
  expect(checkElicitationSchema(good)).toEqual({ schema: good, faults: [] })
  expect(checkElicitationSchema({ type: 'object' }).schema).toEqual({ type: 'object', properties: {} })
  const { faults } = checkElicitationSchema({
    type: 'object',
    allOf: [],
    properties: {
      a: { type: 'string', format: 'ipv4' },
      b: { type: 'array' },
      c: { type: 'boolean', default: 'yes' },
      d: { type: 'constructor' },
      e: 3,
      f: { type: 'array', items: { type: 'integer' } },
    },
  })
  expect(faults.map(({ path, message }) => `${path.join('.')}: ${message}`)).toEqual([
    'allOf: questions cannot carry "allOf"',
    'properties.a.format: expected one of email, uri, date, date-time',
    'properties.b: a list of choices needs items',
    'properties.c.default: expected true or false',
    'properties.d.type: expected a field of type string, number, integer, boolean or array of choices, found "constructor"',
    'properties.e: expected a field of type string, number, integer, boolean or array of choices',
    'properties.f.items: expected {type: string, enum: [...]} or {anyOf: [{const: ..., title: ...}]}',
  ])
})

test('numbers that JavaScript cannot hold are numbers', () => {
  const check = validatorFor({
    properties: { n: { type: 'integer', minimum: 0 }, all: { items: { type: 'number' } } },
  })
  const long = JSON.rawJSON('12345678901234567890')
  expect(check({ n: long, all: [1, JSON.rawJSON('1e400'), JSON.rawJSON('5e-400')] })).toBeUndefined()
  expect(check({ n: JSON.rawJSON('-12345678901234567890') })).toBe('n must be >= 0')
  expect(check({ n: JSON.rawJSON('0.1234567890123456789') })).toBe('n must be integer')
  expect(validator({ type: 'object' })(long)).toBe('the value must be object')
})

test('a schema is compiled once, and not before a value comes', () => {
  let reads = 0
  const schema = {
    get type() {
      reads++
      return 'string'
    },
  }
  const [one, other] = [validatorFor(schema), validatorFor(schema)]
  expect(reads).toBe(0)
  expect([one('x'), other(1)]).toEqual([undefined, 'the value must be string'])
  const once = reads
  expect([validatorFor(schema)('y'), reads]).toEqual([undefined, once])
  expect(validatorFor({ $ref: '#/no' })('x')).toMatch(/cannot be used/)
})

test('values are validated in both drafts, without fetching and without endless patterns', () => {
  const check = validatorFor({ type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] })
  expect(check({ a: 1 })).toBeUndefined()
  expect(check({ a: 'x' })).toBe('a must be integer')
  expect(check({})).toBe("the value must have required property 'a'")
  const older = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    items: [{ type: 'integer' }],
    additionalItems: false,
  }
  expect(validator(older)([1])).toBeUndefined()
  expect(validator(older)([1, 2])).toBe('the value must NOT have more than 1 items')
  const same = { $id: 'https://example.com/same', type: 'string' }
  expect(validator(same)('x')).toBeUndefined()
  expect(validator({ ...same, type: 'number' })('x')).toBe('the value must be number')
  expect(() => validator({ $ref: 'https://example.com/other' })).toThrow('resolve')
  const slow = validator({ type: 'string', pattern: '^(a+)+$' })
  const started = performance.now()
  expect(slow('aaaa')).toBeUndefined()
  expect(slow(`${'a'.repeat(50)}b`)).toContain('must match pattern')
  expect(performance.now() - started).toBeLessThan(1000)
})

const DRAFTS = [{}, { $schema: 'http://json-schema.org/draft-07/schema#' }]

test.each(DRAFTS)('repeated items are found among many, in time that grows with them: %j', (draft) => {
  const unique = validator({ ...draft, uniqueItems: true })
  const many: JsonValue[] = Array.from({ length: 50_000 }, (_, i) => ({ i, more: [i] }))
  const started = performance.now()
  expect(unique(many)).toBeUndefined()
  expect(unique([...many, { more: [7], i: 7 }])).toContain('must NOT have duplicate items')
  expect(performance.now() - started).toBeLessThan(5000)
  expect(unique([1, '1', [1], null, false, 0, ''])).toBeUndefined()
  expect(unique([1, 1.0])).toContain('duplicate')
  expect(validator({ ...draft, uniqueItems: false })([1, 1])).toBeUndefined()
  let deep: JsonValue = []
  for (let level = 0; level < 2000; level++) deep = [deep]
  expect(unique([deep])).toContain('duplicate')
})

test.each(DRAFTS)('what every object inherits was not sent: %j', (draft) => {
  const names = ['constructor', 'toString', 'valueOf', 'hasOwnProperty']
  const properties = Object.fromEntries(names.map((name) => [name, { type: 'string' }]))
  expect(validator({ ...draft, type: 'object', properties, additionalProperties: false })({})).toBeUndefined()
  expect(validator({ ...draft, properties })({ toString: 1 })).toBe('toString must be string')
  expect(validator({ ...draft, required: ['constructor'] })({})).toContain("required property 'constructor'")
})

test('long texts are matched too', () => {
  const check = validator({ type: 'string', pattern: '^a+$' })
  expect(check('a'.repeat(1_000_000))).toBeUndefined()
  expect(check(`${'a'.repeat(200_000)}b`)).toContain('must match pattern')
})

test('schemas of authors are looked through', () => {
  const wrong = checkSchema({
    properties: { a: { type: 'int' }, b: { $ref: 'https://x/' }, c: 3 },
    required: 'a',
    anyOf: {},
    items: { enum: 'x' },
  })
  expect(wrong.map(({ path, message }) => `${path.join('.')}: ${message}`)).toEqual([
    'required: expected a list of names',
    'items.enum: expected a list of values',
    'anyOf: expected a list of schemas',
    'properties.a.type: there is no type "int"',
    'properties.b.$ref: only references within the same schema are followed',
    'properties.c: expected a JSON Schema',
  ])
})
