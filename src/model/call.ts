import type { Era } from './backend.ts'
import type { Cancellation } from './cancellation.ts'
import type { CacheHint, Catalogue, ListKind } from './catalogue.ts'
import type { OwnerKey } from './ids.ts'
import { GATEWAY_OWNER } from './ids.ts'
import type { JsonObject } from './json.ts'
import type { Principal } from './principal.ts'
import { ANONYMOUS } from './principal.ts'
import type { Profile } from './profile.ts'
import { NO_PROFILE } from './profile.ts'

/** One request for something in the catalogue. `params` are kept as received, `_meta` included. */
export type EntryCall =
  | { kind: 'tool'; name: string; params: JsonObject }
  | { kind: 'prompt'; name: string; params: JsonObject }
  | { kind: 'resource'; uri: string; params: JsonObject }
  | { kind: 'complete'; ref: { type: 'prompt'; name: string } | { type: 'resource'; uri: string }; params: JsonObject }

/** What may be asked about one task. */
export type TaskVerb = 'get' | 'result' | 'update' | 'cancel'

/** One request that goes to backends. */
export type Call =
  | EntryCall
  /** `id` as the caller was given it. */
  | { kind: 'task'; verb: TaskVerb; id: string; params: JsonObject }
  /** The tasks of a legacy session. */
  | { kind: 'tasks'; params: JsonObject }
  /** The skills of all backends. */
  | { kind: 'skills'; params: JsonObject }
  | { kind: 'skill'; uri: string; params: JsonObject }
  | { kind: 'directory'; uri: string; params: JsonObject }
  /** A method that the protocol does not have, and one backend does. */
  | { kind: 'vendor'; method: string; params: JsonObject }

/** A notification on its way to a client. */
export interface Notification {
  method: string
  params: JsonObject
}

/** Restarted by every sign of life of the backend (contract 4: timeouts count silence). */
export interface Deadline {
  touch(): void
  /** A person is being asked: silence does not count until the returned function is called. */
  hold(): () => void
}

/** The way back to a caller, which is full while the caller does not read. A source that can wait then waits. */
export interface Flow {
  readonly full: boolean
  /** Calls the listener once, when the caller reads again or has left, unless the returned function is called before. */
  onDrain(listener: () => void): () => void
}

/** The step of a workflow run that makes a call in its caller's name. */
interface StepOrigin {
  /** Name of the composite tool. */
  workflow: string
  run: string
  /** Its id in words, such as `deploy[2].push`. */
  step: string
  /** Its author says how long it may take: the timeouts of the gateway do not apply. */
  ownTimeout: boolean
  /** It runs this composite tool, which is to be judged and counted as called, and not to be called. */
  enters?: string
}

/** Who is asking, in which words; an explicit argument everywhere, never ambient. */
export interface Caller {
  principal: Principal
  /** Decides which upstream connection of a `perSession` backend serves this caller. */
  owner: OwnerKey
  era: Era
  revision: string
  /** What the caller can do when a backend turns to it. */
  profile: Profile
  /** Least severe log messages that the caller has asked for; absent: it has not said. */
  logLevel: string | undefined
  /** What a legacy client called itself at the handshake; a modern one says it in `_meta` of each request. */
  clientInfo?: JsonObject | undefined
  /** Absent: the client itself asks. */
  step?: StepOrigin | undefined
}

/** The gateway itself, where it wants something of a backend or looks at the catalogue. */
export const GATEWAY_CALLER: Caller = {
  principal: ANONYMOUS,
  owner: GATEWAY_OWNER,
  era: 'modern',
  revision: '',
  profile: NO_PROFILE,
  logLevel: undefined,
}

/** A request of a backend to the user or the client behind the gateway: elicitation, sampling, roots. */
export interface Question {
  method: string
  params: JsonObject
  /** The client reports progress on its answer. */
  onProgress?: (params: JsonObject) => void
}

/**
 * Puts a question to the caller and resolves with the result that it gives. Rejects with `CLIENT_ERROR` (its JSON-RPC
 * error), `CANCELLED` when it has left, or the signal's reason.
 */
export type Ask = (question: Question, signal: Cancellation) => Promise<JsonObject>

/** A legacy client, to which a backend of its own may turn at any time. */
export interface ClientPort {
  readonly principal: Principal
  readonly revision: string
  readonly profile: Profile
  /** As it set it; absent: not yet. */
  readonly logLevel: string | undefined
  readonly ask: Ask
  notify(notification: Notification): void
}

/** One call: its caller and the moment. */
export interface Context extends Caller {
  signal: Cancellation
  /** Set by the deadline layer. */
  deadline: Deadline | undefined
  /** The door can pass bytes on; otherwise a result always comes parsed. */
  streaming: boolean
  /** Request-scoped notifications (progress, log messages) back to the caller. `undefined`: the caller takes none. */
  emit: ((notification: Notification) => void) | undefined
  /** What `emit` writes to. Absent: nobody has to wait for the caller. */
  flow?: Flow | undefined
  /**
   * The backend has let go of this call's stream and wants to be asked again in so many milliseconds; the client may be let
   * go as well (2025-11-25, transports, "Sending Messages to the Server"). Absent: it could not come back.
   */
  letGo?: ((retryMs: number) => void) | undefined
  /** Headers of the client's request that HTTP backends get too: name, value, name, value. */
  passed?: readonly string[] | undefined
  /** `undefined`: the caller is asked by an outcome (modern), or cannot be asked. */
  ask: Ask | undefined
  /** Headers of the request, by lower-case name, where arguments may have to stand in them too (modern, HTTP). */
  header: ((name: string) => string | undefined) | undefined
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
export type Outcome =
  | { kind: 'result'; value: JsonObject; era: Era }
  | { kind: 'stream'; stream: ResultStream }
  /** An `InputRequiredResult` (2026-07-28): the call goes on when it is repeated with `inputResponses`. */
  | { kind: 'needs-input'; value: JsonObject }

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
  /** Of each list, as it is now. */
  hints: Readonly<Record<ListKind, CacheHint>>
}

/**
 * Everything that a client may do: see the catalogue, invoke an entry, and watch for changes: of the lists, of a resource,
 * of its tasks.
 * Failures are thrown `GatewayError`s.
 */
export interface Core {
  catalogue(caller: Caller, occasion: Occasion): Promise<Sight>
  invoke(call: Call, context: Context): Promise<Outcome>
  /** Calls the listener after each change of what this caller sees, until the returned function is called. */
  watch(caller: Caller, listener: (change: Change) => void): () => void
  /**
   * Calls the listener with the params of `notifications/resources/updated` whenever this resource has changed, one
   * below it has, or it may have changed unseen; from when this resolves until the returned function is called.
   * One change is one object, whomever it is told. Throws what reading would throw, and `METHOD_UNKNOWN` when the
   * backend takes no subscriptions.
   */
  follow(uri: string, caller: Caller, listener: (update: JsonObject) => void): Promise<() => void>
  /**
   * Calls the listener with the params of `notifications/tasks` whenever one of these tasks has changed (the tasks
   * extension), as fast as `flow` takes them. Ids that mean nothing to this caller are left out. Throws `PARAMS_INVALID`
   * for too many.
   */
  watchTasks(ids: readonly string[], caller: Caller, listener: TaskListener, flow?: Flow): Promise<TaskWatch>
}

/** Takes the params of `notifications/tasks`. */
export type TaskListener = (task: JsonObject) => void

/** The tasks that are watched, as the caller knows them. */
export interface TaskWatch {
  ids: readonly string[]
  end: () => void
}

/** A concern around the core. It may refuse or hide, and reaches a backend only through `inner`. */
export type Layer = (inner: Core) => Core
