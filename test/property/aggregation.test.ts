import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { buildCatalogue, type Contribution } from '../../src/aggregation/build.ts'
import { claimsOf, type Claims } from '../../src/aggregation/claims.ts'
import { diffCatalogues } from '../../src/aggregation/diff.ts'
import { guardName } from '../../src/aggregation/names.ts'
import type { NativeLists } from '../../src/model/backend.ts'
import type { BackendEntry, ListKind, Merged } from '../../src/model/catalogue.ts'
import { backendId } from '../../src/model/ids.ts'
import type { JsonObject } from '../../src/model/json.ts'
import type { AggregationSettings, ToolSettings } from '../../src/model/settings.ts'
import { NO_CLAIMS, tool } from '../support/aggregation.ts'

const LISTS = ['tools', 'prompts', 'resources', 'templates'] as const satisfies ListKind[]
const GUARDED = /^[A-Za-z0-9_-]{1,64}$/
const NOTHING = { tools: false, prompts: false, resources: false }

/** Few names and backends whose prefixes flow together, so that clashes of every sort are common. */
const BACKENDS = ['a', 'a_b', 'b', 'ä', 'c']
const name = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('x', 'y', 'b_x', 'a_x', 'x.y', 'x_y', 'x y', '__proto__', 'n'.repeat(64)) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 80 }) },
  { weight: 1, arbitrary: fc.constantFrom('\ud800', '\udc00', 'n'.repeat(70), `${'n'.repeat(70)}!`) },
)
const names = fc.uniqueArray(name, { maxLength: 6 })

const definition = fc
  .tuple(
    name,
    fc.dictionary(fc.constantFrom('_meta', 'outputSchema', 'vendor', '__proto__'), fc.object({ maxDepth: 2 })),
  )
  .map(([name, more]): JsonObject => ({ ...(more as JsonObject), ...tool(name) }))

const lists: fc.Arbitrary<NativeLists> = fc.record({
  tools: fc.uniqueArray(definition, { maxLength: 6, selector: (one) => one['name'] }),
  prompts: names.map((names) => names.map((name) => ({ name }))),
  resources: names.map((names) => names.map((uri) => ({ uri, name: 'r' }))),
  templates: names.map((names) => names.map((uriTemplate) => ({ uriTemplate, name: 't' }))),
})

const contribution = (backend: string): fc.Arbitrary<Contribution> =>
  fc.record({ backend: fc.constant(backendId(backend)), lists, reachable: fc.boolean() })

const contributions: fc.Arbitrary<Contribution[]> = fc
  .shuffledSubarray(BACKENDS)
  .chain((ids) => fc.tuple(...ids.map(contribution)))

const ownSettings: fc.Arbitrary<ToolSettings> = fc
  .record({
    overrides: fc.dictionary(name, fc.record({ name, description: fc.string() }, { requiredKeys: [] }), { maxKeys: 3 }),
    excludeAll: fc.boolean(),
    filter: fc.option(names, { nil: undefined }),
  })
  .map(({ filter, ...own }) => (filter === undefined ? own : { ...own, filter }))

const settings: fc.Arbitrary<AggregationSettings> = fc.record({
  strategy: fc.constantFrom('prefix', 'priority', 'manual'),
  prefixFormat: fc.constantFrom('{workload}_', '{workload}.', '{workload}'),
  prefixExplicit: fc.boolean(),
  onlyOnConflict: fc.boolean(),
  priorityOrder: fc.shuffledSubarray(BACKENDS),
  vendors: fc.constant(new Set<string>()),
  excludeAllTools: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  defaultToolVisibility: fc.constantFrom('allow', 'allow', 'deny'),
  tools: fc
    .dictionary(fc.constantFrom(...BACKENDS), ownSettings, { maxKeys: 2 })
    .map((tools) => new Map(Object.entries(tools))),
})

const entries = (catalogue: Merged): [ListKind, string, BackendEntry][] =>
  LISTS.flatMap((list) =>
    [...catalogue[list]].map(([shown, entry]): [ListKind, string, BackendEntry] => [list, shown, entry]),
  )

const origin = ({ route }: BackendEntry): string => JSON.stringify([route.backend, route.native])
const keyOf = (list: ListKind) => (list === 'resources' ? 'uri' : list === 'templates' ? 'uriTemplate' : 'name')
const nativesOf = (contribution: Contribution, list: ListKind): string[] =>
  (contribution.lists?.[list] ?? []).map((definition) => definition[keyOf(list)] as string)

const law = <T>(arbitrary: fc.Arbitrary<T>, holds: (value: T) => void, numRuns = 150) =>
  fc.assert(
    fc.property(arbitrary, (value) => {
      holds(value)
    }),
    { numRuns },
  )
const setting = fc.tuple(contributions, settings)

describe('one build', () => {
  test('tool names pass the guard, and every name leads to one origin', () =>
    law(setting, ([contributions, settings]) => {
      const catalogue = buildCatalogue(contributions, settings, NO_CLAIMS, 1)
      for (const shown of catalogue.tools.keys()) expect(shown).toMatch(GUARDED)
      for (const [list, shown, entry] of entries(catalogue)) {
        expect(entry.shown).toBe(shown)
        expect(entry.definition[keyOf(list)]).toBe(shown)
      }
      for (const list of LISTS) {
        const origins = [...catalogue[list].values()].map(origin)
        expect(new Set(origins).size).toBe(origins.length)
      }
    }))

  test('whatever a backend offers has exactly one name or a conflict that tells why not', () =>
    law(setting, ([contributions, settings]) => {
      const catalogue = buildCatalogue(contributions, settings, NO_CLAIMS, 1)
      for (const list of LISTS) {
        const shown = new Set([...catalogue[list].values()].map(origin))
        for (const contribution of contributions) {
          for (const native of nativesOf(contribution, list)) {
            if (shown.has(JSON.stringify([contribution.backend, native]))) continue
            const own = settings.tools.get(contribution.backend)?.overrides
            const override = list === 'tools' && own && Object.hasOwn(own, native) ? own[native] : undefined
            expect(catalogue.conflicts).toContainEqual(
              expect.objectContaining({
                kind: list.slice(0, -1),
                name: override?.name ?? native,
                backends: expect.arrayContaining([contribution.backend]),
              }),
            )
          }
        }
      }
    }))

  test('a definition is the one received but for its name and its override', () =>
    law(setting, ([contributions, settings]) => {
      const copy = structuredClone(contributions)
      const catalogue = buildCatalogue(contributions, settings, NO_CLAIMS, 1)
      expect(contributions).toEqual(copy)
      for (const [list, shown, { route, definition }] of entries(catalogue)) {
        const contribution = contributions.find(({ backend }) => backend === route.backend)
        const received = contribution?.lists?.[list].find((one) => one[keyOf(list)] === route.native)
        const own = list === 'tools' ? settings.tools.get(route.backend)?.overrides : undefined
        const override = own && Object.hasOwn(own, route.native) ? own[route.native] : undefined
        const description = override?.description === undefined ? {} : { description: override.description }
        expect(definition).toEqual({ ...received, ...description, [keyOf(list)]: shown })
      }
    }))

  test('is determined by its inputs', () =>
    law(setting, ([contributions, settings]) => {
      const once = buildCatalogue(contributions, settings, NO_CLAIMS, 1)
      const again = buildCatalogue(structuredClone(contributions), settings, NO_CLAIMS, 1)
      expect([...entries(again)]).toEqual([...entries(once)])
      expect(again).toEqual(once)
      expect(diffCatalogues(once, again)).toEqual(NOTHING)
    }))

  test('lists in configured order, then in upstream order', () =>
    law(setting, ([contributions, settings]) => {
      const catalogue = buildCatalogue(contributions, settings, NO_CLAIMS, 1)
      for (const list of LISTS) {
        const order = contributions.flatMap((one) =>
          nativesOf(one, list).map((native) => JSON.stringify([one.backend, native])),
        )
        const positions = [...catalogue[list].values()].map((entry) => order.indexOf(origin(entry)))
        expect(positions).toEqual(positions.toSorted((a, b) => a - b))
      }
    }))
})

describe('claims', () => {
  test('a catalogue built with its own claims is the same catalogue', () =>
    law(setting, ([contributions, settings]) => {
      const once = buildCatalogue(contributions, settings, NO_CLAIMS, 1)
      const claims = claimsOf(once, NO_CLAIMS)
      const again = buildCatalogue(contributions, settings, claims, 1)
      expect(again).toEqual(once)
      expect([...entries(again)]).toEqual([...entries(once)])
      expect(claimsOf(again, claims)).toEqual(claims)
    }))

  test('a backend that goes down, or falls silent, moves no name and adds none', () =>
    law(fc.tuple(contributions, settings, fc.nat(), fc.boolean()), ([contributions, settings, index, forgotten]) => {
      const victim = contributions[index % Math.max(1, contributions.length)]?.backend
      const before = buildCatalogue(contributions, settings, NO_CLAIMS, 1)
      const without = contributions.map((one): Contribution => {
        if (one.backend !== victim) return one
        return { ...one, reachable: false, lists: forgotten ? undefined : one.lists }
      })
      const after = buildCatalogue(without, settings, claimsOf(before, NO_CLAIMS), 2)
      for (const list of LISTS) {
        for (const [shown, entry] of after[list]) {
          // What lost against a backend of which nothing is remembered any more may come back, under a name that nobody had.
          const old = before[list].get(shown)
          if (old === undefined) expect(forgotten).toBe(true)
          else expect(origin(entry)).toBe(origin(old))
          if (entry.route.backend === victim) expect(entry.visibility).not.toBe('listed')
        }
        if (!forgotten) expect([...after[list].keys()]).toEqual([...before[list].keys()])
      }
    }))

  type Step =
    | { backend: string; does: 'up' | 'down' | 'forget' | 'leave' }
    | { backend: string; does: 'list'; lists: NativeLists }
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({ backend: fc.constantFrom(...BACKENDS), does: fc.constantFrom('up', 'down', 'forget', 'leave') }),
    fc.record({ backend: fc.constantFrom(...BACKENDS), does: fc.constant('list' as const), lists }),
  )

  function perform(contributions: readonly Contribution[], step: Step): Contribution[] {
    const backend = backendId(step.backend)
    const known = contributions.find((one) => one.backend === backend)
    const rest = contributions.filter((one) => one !== known)
    const replaced = (one: Contribution) =>
      known ? contributions.map((other) => (other === known ? one : other)) : [one, ...contributions]
    if (step.does === 'leave') return rest
    if (step.does === 'list') return replaced({ backend, lists: step.lists, reachable: true })
    if (step.does === 'forget') return replaced({ backend, lists: undefined, reachable: false })
    return known
      ? replaced({ ...known, reachable: step.does === 'up' && known.lists !== undefined })
      : [...contributions]
  }

  /** The number of configured backends is part of the configuration: a second one brings prefixes to the first. */
  const prefixesComeAndGo = ({ strategy, prefixExplicit, onlyOnConflict }: AggregationSettings) =>
    strategy === 'prefix' && !prefixExplicit && !onlyOnConflict

  test('whatever comes and goes, a name changes hands only when its owner gave it up', () =>
    law(
      fc.tuple(settings, fc.array(step, { minLength: 2, maxLength: 12 })),
      ([settings, steps]) => {
        fc.pre(!prefixesComeAndGo(settings))
        let contributions: Contribution[] = []
        let claims: Claims = NO_CLAIMS
        const owners = new Map<string, string>()
        for (const [version, step] of steps.entries()) {
          contributions = perform(contributions, step)
          const catalogue = buildCatalogue(contributions, settings, claims, version)
          claims = claimsOf(catalogue, claims)
          for (const [list, shown, entry] of entries(catalogue)) {
            const key = `${list} ${shown}`
            const owner = owners.get(key)
            // Owners that gave a name up were deleted below, after the step in which they did.
            if (owner !== undefined && owner !== origin(entry)) {
              const [backend, native] = JSON.parse(owner) as [string, string]
              const former = contributions.find((one) => one.backend === backend)
              expect(former === undefined || (former.lists && !nativesOf(former, list).includes(native))).toBe(true)
            }
            owners.set(key, origin(entry))
          }
          for (const [key, owner] of owners) {
            const [list, backend, native] = [
              key.slice(0, key.indexOf(' ')) as ListKind,
              ...(JSON.parse(owner) as [string, string]),
            ]
            const former = contributions.find((one) => one.backend === backend)
            const gone = former === undefined || (former.lists && !nativesOf(former, list).includes(native))
            const shown = catalogue[list].get(key.slice(key.indexOf(' ') + 1))
            if (gone && shown === undefined) owners.delete(key)
          }
        }
      },
      300,
    ))

  test('who has a name keeps it as long as it is offered', () =>
    law(
      fc.tuple(settings, fc.array(step, { minLength: 2, maxLength: 12 })),
      ([settings, steps]) => {
        // A newcomer may take a name from everybody, though never for itself.
        fc.pre(settings.strategy !== 'manual' && !prefixesComeAndGo(settings))
        let contributions: Contribution[] = []
        let claims: Claims = NO_CLAIMS
        let before = new Map<string, string>()
        for (const [version, step] of steps.entries()) {
          contributions = perform(contributions, step)
          const catalogue = buildCatalogue(contributions, settings, claims, version)
          claims = claimsOf(catalogue, claims)
          const now = new Map(entries(catalogue).map(([list, shown, entry]) => [`${list} ${origin(entry)}`, shown]))
          const silent = new Set(
            contributions.filter((one) => one.lists === undefined).map((one) => String(one.backend)),
          )
          for (const [key, shown] of before) {
            const [list, where] = [key.slice(0, key.indexOf(' ')) as ListKind, key.slice(key.indexOf(' ') + 1)]
            const [backend, native] = JSON.parse(where) as [string, string]
            const owner = contributions.find((one) => one.backend === backend)
            if (owner && nativesOf(owner, list).includes(native)) expect(now.get(key)).toBe(shown)
            else if (silent.has(backend)) now.set(key, shown)
          }
          before = now
        }
      },
      300,
    ))
})

describe('the name guard', () => {
  const anything = fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.string({ maxLength: 100 }))

  test('always gives a guarded name, and a guarded name again itself', () =>
    law(anything, (name) => {
      expect(guardName(name)).toMatch(GUARDED)
      expect(guardName(guardName(name))).toBe(guardName(name))
    }))

  test('leaves guarded names alone', () =>
    law(fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/), (name) => expect(guardName(name)).toBe(name)))

  test('keeps long names apart', () =>
    law(fc.uniqueArray(fc.string({ minLength: 65, maxLength: 200 }), { minLength: 2, maxLength: 50 }), (names) =>
      expect(new Set(names.map(guardName)).size).toBe(names.length),
    ))
})

test('malformed definitions of any shape break nothing', () =>
  law(fc.tuple(fc.array(fc.anything()), settings), ([garbage, settings]) => {
    const lists = {
      tools: [...garbage, tool('x')],
      prompts: garbage,
      resources: garbage,
      templates: garbage,
    } as NativeLists
    const one = { backend: backendId('a'), lists, reachable: true }
    expect(buildCatalogue([one], settings, NO_CLAIMS, 1).tools.size).toBeGreaterThan(0)
  }))
