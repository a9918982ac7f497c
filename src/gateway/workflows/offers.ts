import type { BackendEntry, Merged } from '../../model/catalogue.ts'
import type { BackendId } from '../../model/ids.ts'
import { isObject, type JsonObject } from '../../model/json.ts'
import type { AggregationSettings } from '../../model/settings.ts'
import { couldBelong } from '../../aggregation/conflicts.ts'
import type { Offer, World } from '../../workflow/compile/world.ts'

/** What there is to call, for the checks of workflows. */
export type Tools = Pick<World, 'tool' | 'tools'>

export interface ToolsParts {
  settings: AggregationSettings
  /** How many backends are configured. */
  configured: number
  /** Definitions were approved one by one, so what they say of themselves is trusted. */
  approved: boolean
  /** Backends that have not told these callers what they offer, and may yet. */
  silent: readonly BackendId[]
}

/** The tools of a catalogue by the names that steps may use: shown, or that which a hidden one would have, or `backend.tool`. */
export function toolsOf(
  { tools }: Pick<Merged, 'tools'>,
  { settings, configured, approved, silent }: ToolsParts,
): Tools {
  let native: ReadonlyMap<string, BackendEntry> | undefined
  const byNative = (): ReadonlyMap<string, BackendEntry> =>
    (native ??= new Map(
      [...tools.values()].map((entry) => [`${entry.route.backend}.${entry.route.native}`, entry] as const),
    ))
  const couldCome = (name: string): boolean =>
    silent.some((backend) => name.startsWith(`${backend}.`) || couldBelong(name, backend, settings, configured))
  return {
    tool: (name) => {
      const entry = tools.get(name) ?? byNative().get(name)
      if (entry) return offerOf(entry, settings, approved)
      return couldCome(name) || mayBeBare(settings, silent) ? 'not known yet' : 'unknown'
    },
    tools: () => tools.keys(),
  }
}

/** What is known of tools before any backend was asked. */
export const UNASKED: Tools = { tool: () => 'unasked', tools: () => [] }

/** Under these strategies names need no prefix, so that they do not say whose they are. */
const mayBeBare = ({ strategy, onlyOnConflict }: AggregationSettings, silent: readonly BackendId[]): boolean =>
  silent.length > 0 && (strategy !== 'prefix' || onlyOnConflict)

const ANY_ARGUMENTS: JsonObject = { type: 'object' }
const offers = new WeakMap<BackendEntry, Offer>()

function offerOf(entry: BackendEntry, settings: AggregationSettings, approved: boolean): Offer {
  let offer = offers.get(entry)
  if (!offer) {
    const { shown, route, definition } = entry
    const { inputSchema, outputSchema } = definition
    offer = {
      shown,
      inputSchema: isObject(inputSchema) ? inputSchema : ANY_ARGUMENTS,
      ...(isObject(outputSchema) && { outputSchema }),
      annotations: trustedHints(entry, settings, approved),
      backend: route.backend,
    }
    offers.set(entry, offer)
  }
  return offer
}

/** Hints are only what a server says of itself, unless the operator has written or approved them (2026-07-28, tools, "Annotations"). */
function trustedHints(
  { route, definition }: BackendEntry,
  { tools }: AggregationSettings,
  approved: boolean,
): JsonObject {
  const { annotations } = definition
  if (approved) return isObject(annotations) ? annotations : {}
  const overrides = tools.get(route.backend)?.overrides
  const own = overrides && Object.hasOwn(overrides, route.native) ? overrides[route.native]?.annotations : undefined
  return { ...own }
}
