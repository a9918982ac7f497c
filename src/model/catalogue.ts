import type { BackendId, NativeName, ShownName } from './ids.ts'
import type { JsonObject } from './json.ts'

/** Where an entry leads: to a backend, or, of a composite tool, to the workflow of that name. */
export type Route = BackendRoute | { kind: 'workflow'; workflow: string }

interface BackendRoute {
  kind: 'backend'
  backend: BackendId
  native: NativeName
}

/**
 * `listed`: shown and callable. `unreachable`: left the lists because its backend is away, a call says so.
 * `hidden`: filtered out; to clients it does not exist, workflow steps may use it.
 */
export type Visibility = 'listed' | 'unreachable' | 'hidden'

export interface Entry {
  /** Shown name of a tool or prompt; URI of a resource; URI template of a template. */
  shown: ShownName
  route: Route
  visibility: Visibility
  /** As clients see it: name and overrides applied, every other field as received. */
  definition: JsonObject
  /** How a clash over this name was settled, for people. */
  conflict?: string
}

export type BackendEntry = Entry & { route: BackendRoute }

export const leadsToBackend = (entry: Entry): entry is BackendEntry => entry.route.kind === 'backend'

/** The backend that an entry leads to; `undefined`: none, it is a composite tool. */
export const backendOf = ({ route }: Entry): BackendId | undefined =>
  route.kind === 'backend' ? route.backend : undefined

/** A name that several backends claimed. `withheld`: nobody got it (strategy `manual`). */
export interface Conflict {
  name: string
  kind: 'tool' | 'prompt' | 'resource' | 'template'
  backends: readonly BackendId[]
  resolution: string
  withheld: boolean
}

/** Everything that clients may see, merged. Immutable: a change makes a new one with a higher version. */
export interface Catalogue {
  version: number
  /** In listing order. Keys are shown names. */
  tools: ReadonlyMap<string, Entry>
  prompts: ReadonlyMap<string, BackendEntry>
  /** Keys are URIs. */
  resources: ReadonlyMap<string, BackendEntry>
  /** Keys are URI templates. */
  templates: ReadonlyMap<string, BackendEntry>
  instructions?: string
  /** What `instructions` is made of, in configured order: for views that show only some of the backends. */
  instructionParts?: readonly InstructionPart[]
  /** The extensions of the protocol that are carried, with their settings. */
  extensions?: JsonObject
  conflicts: readonly Conflict[]
  /** Definitions that were dropped (malformed), and name guards that applied, for people. */
  notes: readonly string[]
}

/** What the backends offer, without composite tools. */
export interface Merged extends Catalogue {
  tools: ReadonlyMap<string, BackendEntry>
}

/** What one backend says of itself. */
export interface InstructionPart {
  backend: BackendId
  text: string
  /** Absent: no other backend is configured, and the text stands alone. */
  heading?: string
  /** It declares skills, which no list names. */
  skills: boolean
}

/** How long a list may be taken as fresh, and whether only by whom it was given to (2026-07-28, caching). */
export interface CacheHint {
  /** Milliseconds, whole; 0: it may be out of date already. */
  ttlMs: number
  cacheScope: 'public' | 'private'
}

/** The four kinds of list. */
export type ListKind = 'tools' | 'prompts' | 'resources' | 'templates'
