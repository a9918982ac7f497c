import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { AuthoredCompositeTool } from '../../src/config/schema/composite.ts'
import type { JsonObject, JsonValue } from '../../src/model/json.ts'
import { compile } from '../../src/workflow/compile/compile.ts'
import { DEFAULT_WORKFLOW_LIMITS } from '../../src/model/settings.ts'
import type { Offer, World } from '../../src/workflow/compile/world.ts'

/** Types that arguments ask for and outputs have. */
const TYPES = ['string', 'integer', 'boolean'] as const
type Type = (typeof TYPES)[number]
const LITERALS: Readonly<Record<Type, readonly unknown[]>> = {
  string: ['x', ''],
  integer: [3, '3'],
  boolean: [true, 'false'],
}

const schema = (prefix: string, count: number, required: boolean): JsonObject => {
  const names = Array.from({ length: count }, (_, index) => `${prefix}${index}`)
  const properties = Object.fromEntries(names.map((name, index) => [name, { type: TYPES[index % 3] ?? 'string' }]))
  return { type: 'object', properties, ...(required ? { required: names } : {}) }
}

function makeWorld(tools: number): World {
  const offers = new Map(
    Array.from({ length: tools }, (_, index): [string, Offer] => {
      const shown = `backend${index % 10}_tool${index}`
      const inputSchema = schema('arg', 1 + (index % 6), true)
      return [shown, { shown, inputSchema, outputSchema: schema('out', 3 + (index % 4), false) }]
    }),
  )
  return {
    tool: (name) => offers.get(name) ?? 'unknown',
    tools: () => offers.keys(),
    workflow: () => undefined,
    workflows: () => [],
    limits: DEFAULT_WORKFLOW_LIMITS,
  }
}

const TOOLS = 40
const world = makeWorld(TOOLS)
const PARAMETERS = schema('param', 6, true)

type Step = AuthoredCompositeTool['steps'][number]

interface Picks {
  readonly tools: readonly number[]
  readonly seeds: readonly number[]
}

/** A definition without faults: steps read parameters and steps that come before them in a hidden order. */
function makeDefinition({ tools, seeds }: Picks, from: World): AuthoredCompositeTool {
  let at = 0
  const pick = (count: number) => (seeds[at++ % seeds.length] ?? 0) % count
  const names = [...from.tools()]
  const made: Step[] = []
  for (const [index, tool] of tools.entries()) {
    const name = names[tool % names.length] ?? ''
    const offer = from.tool(name) as Offer
    const args = Object.keys(offer.inputSchema['properties'] as JsonObject).map((key, place) => {
      const type = TYPES[place % 3] ?? 'string'
      const source = made[pick(index + 1)]
      const kind = pick(4)
      if (kind === 0) return [key, LITERALS[type][pick(2)]]
      if (kind === 1 || !source) return [key, `{{ params.param${place % 3} }}`]
      if (kind === 2) return [key, `{{ .steps.${source.id}.output.out${place % 3} }}`]
      return [
        key,
        type === 'string' ? `a {{ steps.${source.id}.status }} b` : `{{ steps.${source.id}.output.out${place % 3} }}`,
      ]
    })
    const before = made[pick(index + 1)]
    made.push({
      id: `s-${index}`,
      tool: name,
      arguments: Object.fromEntries(args),
      ...(before && pick(2) === 0 ? { dependsOn: [before.id] } : {}),
      ...(before && pick(4) === 0
        ? { condition: `{{ eq steps.${before.id}.status "completed" }}`, defaultResults: DEFAULTS }
        : {}),
    })
  }
  // The order of the definition says nothing about the order of steps.
  const shuffled = made.map((step) => ({ step, key: pick(1000) })).sort((a, b) => a.key - b.key)
  return { name: 'w', parameters: PARAMETERS, steps: shuffled.map(({ step }) => step) }
}

const DEFAULTS = { out0: '', out1: 0, out2: false }

const picks = fc.record({
  tools: fc.array(fc.nat(TOOLS - 1), { minLength: 1, maxLength: 12 }),
  seeds: fc.array(fc.nat(9999), { minLength: 20, maxLength: 60 }),
})

test('what has no faults has a plan, in which everything comes behind what it waits for', () => {
  fc.assert(
    fc.property(picks, (chosen) => {
      const definition = makeDefinition(chosen, world)
      const { plan, faults, needs } = compile(definition, world)
      expect(faults).toEqual([])
      expect(plan?.steps.map(({ id }) => id).sort()).toEqual(definition.steps.map(({ id }) => id).sort())
      for (const [place, step] of (plan?.steps ?? []).entries()) {
        expect(step.after.every((other) => other < place)).toBe(true)
        const authored = definition.steps.find(({ id }) => id === step.id)
        const text = JSON.stringify(authored)
        const expected = definition.steps
          .map(({ id }) => id)
          .filter((id) => id !== step.id && (text.includes(`steps.${id}.`) || authored?.dependsOn?.includes(id)))
        expect(new Set(step.after.map((other) => plan?.steps[other]?.id))).toEqual(new Set(expected))
      }
      expect(needs).toEqual(new Set(definition.steps.map(({ tool }) => tool)))
    }),
    { numRuns: 300 },
  )
})

interface Reference {
  readonly path: readonly (string | number)[]
  readonly change: (step: Step) => Step
}

/** Every place where something is named, and the definition with a wrong name there. */
function references(step: Step, index: number): Reference[] {
  const steps = ['steps', index]
  const args = Object.entries(step.arguments ?? {})
  const swap = (key: string, value: unknown) => (one: Step) => ({
    ...one,
    arguments: { ...one.arguments, [key]: value },
  })
  return [
    { path: [...steps, 'tool'], change: (one) => ({ ...one, tool: 'nowhere' }) },
    ...(step.dependsOn ?? []).map((_, place) => ({
      path: [...steps, 'dependsOn', place],
      change: (one: Step) => ({ ...one, dependsOn: ['nowhere'] }),
    })),
    { path: [...steps, 'arguments', 'nowhere'], change: swap('nowhere', 1) },
    ...args.flatMap(([key, value]) => {
      if (typeof value !== 'string' || !value.includes('{{')) return []
      const path = [...steps, 'arguments', key]
      const wrong = [
        value.replace(/s-[0-9]+/u, 'nowhere'),
        value.replace(/out[0-9]/u, 'nowhere'),
        value.replace(/param[0-9]/u, 'nowhere'),
        value.replace(/steps\./u, 'stpes.'),
        value.replace('}}', '}'),
      ]
      return wrong.flatMap((text) => (text === value ? [] : [{ path, change: swap(key, text) }]))
    }),
  ]
}

test('one wrong name makes exactly one fault, where it stands', () => {
  fc.assert(
    fc.property(picks, fc.nat(9999), (chosen, seed) => {
      const definition = makeDefinition(chosen, world)
      const all = definition.steps.flatMap((step, index) => references(step, index).map((one) => ({ ...one, index })))
      const reference = all[seed % all.length]
      if (!reference) return
      const steps = definition.steps.map((step, index) => (index === reference.index ? reference.change(step) : step))
      const { plan, faults } = compile({ ...definition, steps }, world)
      expect(faults.map(({ path, severity }) => ({ path, severity }))).toEqual([
        { path: reference.path, severity: 'error' },
      ])
      expect(plan).toBeUndefined()
    }),
    { numRuns: 500 },
  )
})

/** Schemas of strangers: keywords with any value, references that lead anywhere, also into themselves. */
const { schema: anySchema } = fc.letrec<{ schema: JsonValue; object: JsonObject }>((tie) => {
  const key = fc.constantFrom('a', 'b', '__proto__', 'constructor', 'type')
  const list = fc.array(tie('schema'), { maxLength: 3 })
  const named = fc.dictionary(key, tie('schema'), { maxKeys: 3 })
  const wrong = fc.jsonValue({ maxDepth: 1 }) as fc.Arbitrary<JsonValue>
  const mostly = <Value extends JsonValue>(right: fc.Arbitrary<Value>) =>
    fc.oneof({ weight: 6, arbitrary: right }, { weight: 1, arbitrary: wrong })
  const type = fc.constantFrom('string', 'integer', 'object', 'array', 'null', 'boolean', 'number')
  return {
    schema: fc.oneof({ depthSize: 'small' }, fc.boolean(), tie('object'), wrong),
    object: fc.record(
      {
        type: mostly(fc.oneof(type, fc.array(type))),
        properties: mostly(named),
        additionalProperties: mostly(tie('schema')),
        patternProperties: mostly(named),
        required: mostly(fc.array(key)),
        items: mostly(fc.oneof(tie('schema'), list)),
        prefixItems: mostly(list),
        enum: mostly(fc.array(wrong, { maxLength: 3 })),
        anyOf: mostly(list),
        oneOf: mostly(list),
        allOf: mostly(list),
        $defs: mostly(named),
        $ref: mostly(fc.constantFrom('#', '#/$defs/a', '#/$defs/b', '#/properties/a', '#x', 'https://x/', '#/%')),
      },
      { requiredKeys: [] },
    ),
  }
})

const anyText = fc.oneof(
  fc.string(),
  fc.constantFrom(
    '{{ params.a }}',
    '{{ .params.b.0.a }}',
    '{{ steps.a.output.a.b }}',
    '{{ steps.b.output.iterations.[0].item.a }}',
    '{{',
    'true',
    '12',
    '[1]',
    '{{ forEach.item.a }}',
    '{{ index .steps.a.output "a" }}',
  ),
)
const anyValue = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<JsonValue>,
  fc.dictionary(fc.constantFrom('a', 'b', '__proto__'), fc.oneof(anyText, fc.jsonValue({ maxDepth: 2 }))),
)

test('whatever strangers write is told, never thrown', () => {
  const hostile = fc.record({
    input: anySchema,
    output: anySchema,
    parameters: anySchema,
    args: anyValue,
    texts: fc.array(anyText, { minLength: 6, maxLength: 6 }),
    value: anyValue,
  })
  fc.assert(
    fc.property(hostile, ({ input, output, parameters, args, texts, value }) => {
      const offer = { shown: 'a', inputSchema: objectOf(input), outputSchema: objectOf(output) }
      const [message, condition, collection, inner, url, made] = texts
      const definition = {
        name: 'w',
        parameters: objectOf(parameters),
        steps: [
          { id: 'a', tool: 'a', arguments: objectOf(args), condition, defaultResults: value },
          {
            id: 'b',
            type: 'forEach',
            collection,
            itemVar: 'one',
            step: { id: 'c', tool: 'a', arguments: { a: inner } },
          },
          { id: 'd', type: 'elicitation', message, schema: objectOf(input) },
          { id: 'e', type: 'elicitation', message, url, outputMapping: { v: made } },
        ],
        output: { properties: { a: { type: 'string', value: made, default: value }, b: { value } } },
      } as unknown as AuthoredCompositeTool
      const { plan, faults } = compile(definition, { ...world, tool: () => offer })
      expect(plan === undefined).toBe(faults.some(({ severity }) => severity === 'error'))
    }),
    { numRuns: 1000 },
  )
})

const objectOf = (value: JsonValue | Record<string, unknown>): JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {}

test('a hundred steps, two hundred definitions, a thousand tools: soon', () => {
  const many = makeWorld(1000)
  const definitions = Array.from({ length: 200 }, (_, index) => ({
    ...makeDefinition(
      {
        tools: Array.from({ length: 8 }, (_, step) => index * 37 + step * 101),
        seeds: Array.from({ length: 50 }, (_, seed) => (index + 1) * 7919 + seed * 104_729),
      },
      many,
    ),
    name: `w${index}`,
  }))
  const started = performance.now()
  for (const definition of definitions) expect(compile(definition, many).faults).toEqual([])
  expect(performance.now() - started).toBeLessThan(2000)
  const wide = makeDefinition(
    { tools: Array.from({ length: 100 }, (_, step) => step * 3), seeds: [5, 17, 23, 8, 91, 4] },
    many,
  )
  expect(compile(wide, many).plan?.steps).toHaveLength(100)
})
