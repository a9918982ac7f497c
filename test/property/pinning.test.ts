import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { diffLocks, lockOf, parseLock, renderLock } from '../../src/aggregation/pinning/lock.ts'
import { canonicalJson } from '../../src/model/canonical-json.ts'
import { hashOf, type Pin, type PinKind } from '../../src/aggregation/pinning/pins.ts'
import { backendId } from '../../src/model/ids.ts'
import { isObject, type JsonObject, type JsonValue } from '../../src/model/json.ts'

/** Integers and short fractions: -0 is 0 in JSON. */
const leaf: fc.Arbitrary<JsonValue> = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.integer().map((number) => number / 4),
  fc.boolean(),
  fc.constant(null),
)
const { value: json } = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie('value'), { maxLength: 3 }),
    fc
      .dictionary(
        fc.oneof(fc.constantFrom('__proto__', 'a', 'A', 'toString'), fc.string({ unit: 'binary' })),
        tie('value'),
        {
          maxKeys: 4,
          noNullPrototype: true,
        },
      )
      .map((object) => object as JsonObject),
  ),
}))

const FIELDS = ['title', 'description', 'outputSchema', 'execution', 'vendor']
const SHAPES = { title: fc.string({ unit: 'binary' }), description: fc.string({ unit: 'binary' }) }
const toolDefinition: fc.Arbitrary<JsonObject> = fc
  .record(
    {
      name: fc.string({ minLength: 1 }),
      ...SHAPES,
      outputSchema: json,
      execution: json,
      vendor: json,
      properties: json,
    },
    { requiredKeys: ['name'] },
  )
  .map(({ properties, ...rest }) => ({
    ...rest,
    inputSchema: { type: 'object', ...(properties !== undefined && { properties }) },
  }))

/** The same value with the keys of every object the other way round. */
function reversed(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(reversed)
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, inner]) => [key, reversed(inner!)]),
  )
}

/** Every value that differs from this one in one place. */
function* neighbours(value: JsonValue): Generator<JsonValue> {
  if (Array.isArray(value)) {
    yield [...value, null]
    for (const [index, item] of value.entries()) {
      yield value.toSpliced(index, 1)
      for (const other of neighbours(item)) yield value.with(index, other)
    }
  } else if (isObject(value)) {
    const entries = Object.entries(value) as [string, JsonValue][]
    yield Object.fromEntries([...entries, [`${entries.map(([key]) => key).join('')}+`, null]])
    for (const [index, [key, inner]] of entries.entries()) {
      yield Object.fromEntries(entries.toSpliced(index, 1))
      yield Object.fromEntries(entries.with(index, [`${entries.map(([one]) => one).join('')}${key}'`, inner]))
      for (const other of neighbours(inner)) yield Object.fromEntries(entries.with(index, [key, other]))
    }
  } else if (typeof value === 'string') {
    yield `${value}\u200b`
    yield value.toUpperCase() === value ? `${value}x` : value.toUpperCase()
  } else {
    yield String(value)
    yield typeof value === 'number' ? value + 0.5 : [value]
  }
}

test('the hash is the same in every order of keys, and with everything volatile', () => {
  fc.assert(
    fc.property(toolDefinition, json, (definition, meta) => {
      const other = reversed(definition) as JsonObject
      expect(hashOf('tools', other)).toBe(hashOf('tools', definition))
      const noted = { _meta: { meta }, ...other, icons: [meta] }
      expect(hashOf('tools', noted)).toBe(hashOf('tools', definition))
    }),
  )
})

test('the hash tells every other change, wherever it is', () => {
  fc.assert(
    fc.property(toolDefinition, (definition) => {
      const hash = hashOf('tools', definition)
      expect(hash).toBeDefined()
      for (const field of FIELDS) {
        const value = definition[field]
        if (value === undefined) continue
        for (const other of neighbours(value)) expect(hashOf('tools', { ...definition, [field]: other })).not.toBe(hash)
        const { [field]: _, ...rest } = definition
        expect(hashOf('tools', rest)).not.toBe(hash)
      }
    }),
  )
})

test('canonical text is JSON of the same value', () => {
  fc.assert(
    fc.property(json, (value) => {
      expect(JSON.parse(canonicalJson(value))).toEqual(value)
    }),
  )
})

const kind = fc.constantFrom<PinKind>('tool', 'prompt', 'resource', 'template')
const name = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('version 1', 'version', '#', ' ', '\n', 'a b', '"a"', 'é'),
)
const pin: fc.Arbitrary<Pin> = fc
  .record({ backend: name, kind, name, hash: fc.stringMatching(/^[0-9a-f]{64}$/) })
  .map((pin) => ({ ...pin, backend: backendId(pin.backend) }))

test('a lock is read as it was written, and the same in any order', () => {
  fc.assert(
    fc.property(fc.array(pin, { maxLength: 20 }), (pins) => {
      const lock = lockOf(pins)
      const text = renderLock(lock)
      const read = parseLock(text)
      expect(read.fault).toBeUndefined()
      expect(diffLocks(lock, read.lock!)).toEqual({ added: [], changed: [], gone: [] })
      expect(read.lock!.size).toBe(lock.size)
      expect(renderLock(lockOf(pins.toReversed()))).toBe(text)
      expect(text).toMatch(/^[\n -~]*$/)
    }),
  )
})

test('whatever a lock file holds, reading it throws nothing', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      for (const whole of [text, `version 1\n${text}`]) expect(Object.keys(parseLock(whole))).toHaveLength(1)
    }),
  )
})
