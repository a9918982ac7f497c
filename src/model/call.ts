import type { Era } from './backend.ts'
import type { Cancellation } from './cancellation.ts'
import type { Catalogue } from './catalogue.ts'
import type { OwnerKey } from './ids.ts'
import type { JsonObject } from './json.ts'
import type { Principal } from './principal.ts'

/** One request for something in the catalogue. `params` are kept as received, `_meta` included. */
export type Call =
  | { kind: 'tool'; name: string; params: JsonObject }
  | { kind: 'prompt'; name: string; params: JsonObject }
  | { kind: 'resource'; uri: string; params: JsonObject }
  | { kind: 'complete'; ref: { type: 'prompt'; name: string } | { type: 'resource'; uri: string }; params: JsonObject }

/** A notification on its way to a client. */
export interface Notification {
  method: string
  params: JsonObject
}

/** Restarted by every sign of life of the backend (contract 4: timeouts count silence). */
export interface Deadline {
  touch(): void
}

/** Everything about the caller and the moment; an explicit argument everywhere, never ambient. */
export interface Context {
  principal: Principal
  /** Decides which upstream connection of a `perSession` backend serves this call. */
  owner: OwnerKey
  era: Era
  revision: string
  signal: Cancellation
  /** Set by the deadline layer. */
  deadline: Deadline | undefined
  /** The door can pass bytes on; otherwise a result always comes parsed. */
  streaming: boolean
  /** Request-scoped notifications (progress) back to the caller. `undefined`: the caller takes none. */
  emit: ((notification: Notification) => void) | undefined
}

/** A large result that is still arriving: a whole JSON-RPC response whose id is the gateway's own. */
export interface ResultStream {
  /** Bytes of the whole response with the upstream id, when the backend told. */
  length: number | undefined
  /** The id to replace: 15 digits, wherever it stands in the envelope. */
  upstreamId: number
  /** Delivers what has arrived and what will. Call once. The sink answers false to pause. */
  pipe(sink: ByteSink): void
  resume(): void
  abort(reason: Error): void
  /** Called once, when the last byte has passed or the stream has failed. */
  onFinish(listener: () => void): void
}

export interface ByteSink {
  write(chunk: Buffer): boolean
  end(): void
  fail(error: Error): void
}

/** `era` is the one whose spelling the value has; the door translates. A stream always has the caller's. */
export type Outcome = { kind: 'result'; value: JsonObject; era: Era } | { kind: 'stream'; stream: ResultStream }

/** Which lists changed. */
export interface Change {
  tools: boolean
  prompts: boolean
  resources: boolean
}

/** What the catalogue is wanted for: a welcome waits shorter than a list for backends that are still connecting. */
export type Occasion = 'welcome' | 'list'

/** What one caller sees. `connecting`: some backends have not answered yet, so there may soon be more. */
export interface Sight {
  catalogue: Catalogue
  connecting: boolean
}

/**
 * Everything that a client may do: see the catalogue, invoke an entry, watch for changes.
 * Failures are thrown `GatewayError`s.
 */
export interface Core {
  catalogue(context: Context, occasion: Occasion): Promise<Sight>
  invoke(call: Call, context: Context): Promise<Outcome>
  /** Calls the listener after each change of what this caller sees, until the returned function is called. */
  watch(caller: Pick<Context, 'principal' | 'owner'>, listener: (change: Change) => void): () => void
}

/** A concern around the core. It may refuse or hide, and reaches a backend only through `inner`. */
export type Layer = (inner: Core) => Core
