import type { Visibility } from '../model/catalogue.ts'
import type { BackendId } from '../model/ids.ts'
import type { JsonObject } from '../model/json.ts'
import type { AggregationSettings } from '../model/settings.ts'
import { claimedName, type Claims } from './claims.ts'
import type { Contribution } from './contribution.ts'
import { definitionFault } from './definitions.ts'
import type { Kind } from './kinds.ts'
import { applyOverride, overrideOf } from './overrides.ts'
import { quote } from './text.ts'
import { visibilityOf } from './visibility.ts'

/** One native entry on its way into the catalogue. */
export interface Candidate {
  backend: BackendId
  native: string
  /** The name after overrides and before prefixes: what filters and strategies look at. */
  base: string
  /** Overrides applied, name as received. Undefined: its backend has not answered and only a claim speaks for it, or it is withheld. */
  definition: JsonObject | undefined
  visibility: Visibility
}

export interface Field {
  /** In listing order. */
  candidates: readonly Candidate[]
  /** Settled names by owner. Nobody else may have them. */
  held: ReadonlyMap<string, Candidate>
}

/** Everything of one kind that the backends offer, or offered when they last spoke, in configured and then upstream order. */
export function collect(
  kind: Kind,
  contributions: readonly Contribution[],
  settings: AggregationSettings,
  claims: Claims,
  notes: string[],
): Field {
  const offers = new Map<BackendId, Offer>()
  for (const contribution of contributions) {
    const offer: Offer = { reader: readerOf(kind, contribution, settings), byNative: new Map() }
    offers.set(contribution.backend, offer)
    for (const definition of contribution.lists?.[kind.list] ?? []) {
      const fault = definitionFault(kind.list, definition)
      if (fault !== undefined) {
        notes.push(`${contribution.backend}: a ${kind.kind} is left out, ${fault}${nameIn(definition, kind)}`)
        continue
      }
      const native = definition[kind.key] as string
      if (offer.byNative.has(native)) {
        notes.push(`${contribution.backend}: lists the ${kind.kind} ${quote(native)} twice, the first one counts`)
      } else {
        offer.byNative.set(native, offer.reader(native, definition))
      }
    }
    for (const native of contribution.reserved?.[kind.list] ?? []) {
      if (!offer.byNative.has(native)) offer.byNative.set(native, offer.reader(native, undefined))
    }
    if (kind.list === 'tools') notes.push(...settingsWithoutEffect(contribution, offer, settings))
  }
  const held = readClaims(kind, contributions, claims, offers)
  return { candidates: [...offers.values()].flatMap(({ byNative }) => [...byNative.values()]), held }
}

interface Offer {
  reader: (native: string, definition: JsonObject | undefined) => Candidate
  byNative: Map<string, Candidate>
}

function readerOf(kind: Kind, { backend, reachable }: Contribution, settings: AggregationSettings): Offer['reader'] {
  const shown: Visibility = reachable ? 'listed' : 'unreachable'
  if (kind.list !== 'tools') {
    return (native, definition) => ({ backend, native, base: native, definition, visibility: shown })
  }
  const visible = visibilityOf(settings, backend)
  const own = settings.tools.get(backend)
  return (native, definition) => {
    const override = overrideOf(own, native)
    const base = override?.name ?? native
    return {
      backend,
      native,
      base,
      definition: definition && applyOverride(definition, override),
      visibility: visible(base) ? shown : 'hidden',
    }
  }
}

/**
 * Claims whose owner still offers the native name, and those of owners that have not answered: for these the claim stands in.
 * The rest is released: the owner is gone from the configuration or its last list has the name no more.
 */
function readClaims(
  kind: Kind,
  contributions: readonly Contribution[],
  claims: Claims,
  offers: ReadonlyMap<BackendId, Offer>,
): Field['held'] {
  const silent = new Set(contributions.filter(({ lists }) => lists === undefined).map(({ backend }) => backend))
  const held = new Map<string, Candidate>()
  for (const [key, { backend, native }] of claims) {
    const name = claimedName(kind.kind, key)
    const offer = offers.get(backend)
    if (name === undefined || offer === undefined) continue
    let owner = offer.byNative.get(native)
    if (owner === undefined && silent.has(backend)) {
      owner = offer.reader(native, undefined)
      offer.byNative.set(native, owner)
    }
    if (owner !== undefined) held.set(name, owner)
  }
  return held
}

/** Settings that name a tool which the backend does not have would otherwise quietly do nothing. */
function settingsWithoutEffect(
  { backend, lists }: Contribution,
  { byNative }: Offer,
  settings: AggregationSettings,
): string[] {
  const own = settings.tools.get(backend)
  if (own === undefined || lists === undefined) return []
  const bases = new Set([...byNative.values()].map(({ base }) => base))
  const overrides = Object.keys(own.overrides)
    .filter((name) => !byNative.has(name))
    .map((name) => `${backend}: overrides name the tool ${quote(name)}, which the backend does not have`)
  const filter = (own.filter ?? [])
    .filter((name) => !bases.has(name))
    .map((name) => {
      const renamed = byNative.get(name)
      return renamed
        ? `${backend}: filter names the tool ${quote(name)}, which overrides rename: write ${quote(renamed.base)}`
        : `${backend}: filter names the tool ${quote(name)}, which the backend does not have`
    })
  return [...overrides, ...filter]
}

function nameIn(definition: unknown, kind: Kind): string {
  const name = (definition as JsonObject | null)?.[kind.key]
  return typeof name === 'string' && name !== '' ? `: ${quote(name)}` : ''
}
