import type { Principal } from '../../model/principal.ts'
import type { Engine } from './cedar.ts'
import type { Entities } from './entities.ts'
import type { GroupSettings } from './groups.ts'
import type { Target } from './request.ts'
import type { Rule, Slices } from './rule.ts'
import type { Site, Unit, View } from './unit.ts'
import type { ActionName } from './vocabulary.ts'

interface PolicyNames extends GroupSettings {
  groupEntityType: string
  /** `MCP::"<this>"` is a parent of everything. */
  serverName: string
  /** `Group::"<this>"` is the parent of every backend. */
  group: string | undefined
  /** Of all backends. Absent: they are not known. */
  backends: readonly string[] | undefined
}

/** A group of a principal; `key` as policies write it. */
export interface Group {
  id: string
  key: string
}

/** What is known of one principal. */
interface Person {
  views: Map<Unit, View>
  groups: readonly Group[]
}

/** Compiled policies. Made by `compilePolicies`; a new set for every change. */
export interface PolicySet {
  readonly engine: Engine
  readonly names: PolicyNames
  readonly entities: Entities
  /** As configured. */
  readonly policies: readonly string[]
  readonly rules: readonly Rule[]
  readonly slices: Readonly<Record<ActionName, Slices>>
  /** By action and key, made at first use. */
  readonly units: Map<string, Site>
  /** All rules as one, only for what they look at: equal classes of it see equal lists. */
  readonly whole: Unit
  /** Whatever is remembered of principals and targets; thrown away as a whole when it is too much. */
  memory: {
    people: WeakMap<Principal, Person>
    sites: WeakMap<Target, Site>
    /** The units of templates, by what is known of their URIs. */
    ofTemplates: Map<string, readonly Unit[]>
    size: number
  }
  /** What classes of `whole` may see. Apart from `memory`: it takes long to find out, and little to keep. */
  lists: { byEntries: WeakMap<object, unknown>; size: number }
  readonly nextNumber: () => number
  /** For what is made for a while. Numbers come back. */
  readonly spareNumber: () => number
  /** Policies that decide nothing yet. */
  readonly trial?: PolicySet | undefined
}

export const freshMemory = (): PolicySet['memory'] => ({
  people: new WeakMap(),
  sites: new WeakMap(),
  ofTemplates: new Map(),
  size: 0,
})

export const freshLists = (): PolicySet['lists'] => ({ byEntries: new WeakMap(), size: 0 })

/** About 100 bytes each. */
const MAX_REMEMBERED = 200_000
/** Of a class of principals. */
export const VIEW_WEIGHT = 20

export function remember(set: PolicySet, weight = 1): void {
  set.memory.size += weight
  if (set.memory.size <= MAX_REMEMBERED) return
  set.memory = freshMemory()
  for (const site of set.units.values()) for (const unit of [...site.calls, ...site.lists]) unit.views.clear()
}

/** As `remember`, for lists and the classes that they are made for. */
export function rememberList(set: PolicySet, weight: number): void {
  set.lists.size += weight
  if (set.lists.size <= MAX_REMEMBERED) return
  set.lists = freshLists()
  set.whole.views.clear()
}
