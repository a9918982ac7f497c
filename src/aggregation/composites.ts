import type { Catalogue, Entry, Merged } from '../model/catalogue.ts'
import type { ShownName } from '../model/ids.ts'
import type { JsonObject } from '../model/json.ts'
import { guardName, shortHash } from './names.ts'

/** One composite tool on its way into the catalogue. */
export interface CompositeOffer {
  /** Its name in the configuration. */
  workflow: string
  /** As clients see it, but for its name. */
  definition: JsonObject
  /** False: it cannot be called now, and a call says why. */
  ready: boolean
}

/**
 * The shown name of each composite tool, by its name in the configuration. They follow from the configuration alone, so no
 * backend, whatever it offers, can take one (contract 4: a shown name never moves).
 */
export function compositeNames(workflows: readonly string[]): ReadonlyMap<string, ShownName> {
  const names = new Map<string, ShownName>()
  const taken = new Set<string>()
  // Names that the guard leaves alone come first.
  for (const workflow of workflows.toSorted((a, b) => Number(guardName(a) !== a) - Number(guardName(b) !== b))) {
    let name = guardName(workflow)
    for (let attempt = 0; taken.has(name); attempt++)
      name = guardName(`${workflow}_${shortHash(`${workflow} ${attempt}`)}`)
    taken.add(name)
    names.set(workflow, name as ShownName)
  }
  return names
}

/** The catalogue with composite tools behind those of the backends, which `reserved` has kept off their names. */
export function withComposites(
  merged: Merged,
  names: ReadonlyMap<string, ShownName>,
  offers: readonly CompositeOffer[],
): Catalogue {
  if (offers.length === 0) return merged
  const tools = new Map<string, Entry>(merged.tools)
  for (const { workflow, definition, ready } of offers) {
    const shown = names.get(workflow)
    if (shown === undefined) continue
    tools.set(shown, {
      shown,
      route: { kind: 'workflow', workflow },
      visibility: ready ? 'listed' : 'unreachable',
      definition: { ...definition, name: shown },
    })
  }
  return { ...merged, tools }
}
