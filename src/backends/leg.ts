import type { Era } from '../model/backend.ts'
import type { Ask, Caller, ClientPort, Deadline, Flow, Notification, ResultStream } from '../model/call.ts'
import { GATEWAY_CALLER } from '../model/call.ts'
import type { Cancellation } from '../model/cancellation.ts'
import { GatewayError } from '../model/errors.ts'
import type { BackendId } from '../model/ids.ts'
import type { JsonObject, JsonValue } from '../model/json.ts'
import type { Principal } from '../model/principal.ts'
import type { Profile } from '../model/profile.ts'
import type { Identity } from '../protocol/translate.ts'
import type { Telemetry } from '../telemetry/events.ts'

/** How ids of a backend's tasks read for its callers. `undefined`: a task that this caller has nothing to do with. */
export interface TaskNames {
  shown: (id: string, principal: Principal) => string | undefined
  native: (id: string, principal: Principal) => string | undefined
  /** Who answers what this task asks, when one running call has caused it. */
  asker: (id: string) => Ask | undefined
  /** The progress token of the caller, from the one that came with the request for a task. */
  progressToken: (token: string, principal: Principal) => JsonValue | undefined
}

/** What every leg needs to know besides its endpoint. */
export interface LegContext {
  backend: BackendId
  identity: Identity
  telemetry: Telemetry
  /** Largest message that may be buffered, bytes. */
  maxMessageBytes: number
  /** The backend said that its lists changed, or they may have changed unseen. */
  onListChanged: () => void
  /** The backend said that a resource has changed that this leg subscribed to. */
  onUpdated: (params: JsonObject) => void
  /**
   * What tells of changes of resources was away and is back: something may have changed unseen. Not called for a new set
   * of resources (`Leg.listen`) while the old one went on being listened to.
   */
  onGap: () => void
  tasks: TaskNames
  /** The leg is gone without being asked to: process exit. */
  onLost: (error: Error) => void
  /** What a legacy server is told at the handshake, and may ask for. */
  profile: Profile
  /** In whose name the leg says what no request has caused: who used it last. */
  principal: () => Principal
  /** The one legacy client that this leg belongs to, if there is one: it hears what no request of its own has caused. */
  client: () => ClientPort | undefined
  /** Whether all calls on this leg are one client's, or strangers may share it. */
  oneClient: () => boolean
}

export interface UpstreamRequest {
  method: string
  /** As the caller sent them; the leg replaces hop keys and the progress token. */
  params: JsonObject
  /** Top-level fields of `params` that differ for this backend (the native name). */
  patch: JsonObject
  caller: Caller
  signal: Cancellation
  deadline: Deadline | undefined
  /** The caller asked for progress. */
  progress: boolean
  /** Progress (with the gateway's token) and log messages of this request. Absent: nobody takes any. */
  onNotification: ((notification: Notification) => void) | undefined
  /**
   * Where those go. A backend whose answer is a connection of its own is not read while this is full; where calls share
   * one (processes, HTTP+SSE, the stream of a session), a caller that does not read loses what it can do without.
   */
  flow?: Flow | undefined
  /** As `Context` has it. */
  letGo?: ((retryMs: number) => void) | undefined
  /** As `Context` has it. */
  passed?: readonly string[] | undefined
  /** Absent: a question of the backend is refused. */
  ask: Ask | undefined
  /** Definition of the tool that is called: some of its arguments may have to travel as headers. */
  tool: JsonObject | undefined
  /** The caller takes a large result as bytes; only then may a reply be a stream. */
  streaming: boolean
}

/** A request of the gateway's own, or one that only looks something up for `caller`. */
export function ownRequest(
  method: string,
  params: JsonObject,
  signal: Cancellation,
  caller: Caller = GATEWAY_CALLER,
): UpstreamRequest {
  return {
    method,
    params,
    patch: {},
    caller,
    signal,
    deadline: undefined,
    progress: false,
    onNotification: undefined,
    ask: undefined,
    tool: undefined,
    streaming: false,
  }
}

export type Reply = { kind: 'result'; value: JsonObject; era: Era } | { kind: 'stream'; stream: ResultStream }

/** One live upstream in one era: a legacy session, a process, or a stateless modern endpoint. */
export interface Leg {
  readonly era: Era
  readonly revision: string
  readonly capabilities: JsonObject
  readonly instructions: string | undefined
  /** The server keeps state behind this leg, so owners must not share it. */
  readonly keepsState: boolean
  readonly closed: boolean
  /** What the server announces arrives: it tells by itself, or over a stream that stands or comes back. */
  readonly hears: boolean
  /** It lives with a process or a connection of its own, whose end says nothing about other legs. */
  readonly diesAlone: boolean
  /**
   * Throws `BACKEND_ERROR` (the backend's own JSON-RPC error), `BACKEND_UNREACHABLE`, `BACKEND_PROTOCOL`,
   * the signal's reason, or `SessionLost` when the request was not executed and a new leg may repeat it.
   */
  request(request: UpstreamRequest): Promise<Reply>
  /** A notification of the client to a legacy server; dropped by servers that have no use for it. */
  notify(method: string, params: JsonObject): void
  /** How much a legacy server is to write; modern ones are told with each request. */
  setLogLevel(level: string): void
  /**
   * Starts watching for list changes and for changes of these resources, as far as the server can tell; again, with
   * another set of resources. Legacy servers are told of each resource by a request of its own. Resolves when the server
   * listens to the new set, or cannot; it may take no time at all.
   */
  listen(resources: readonly string[]): Promise<void> | void
  close(): Promise<void>
}

/** Opens legs to one endpoint. `auto` finds the era out; a named era is tried as it is. */
export interface Connector {
  open(era: Era | 'auto', context: LegContext, signal: Cancellation): Promise<Leg>
  close(): Promise<void>
}

/** The server has forgotten this leg's session, or its process is gone. The request that met this was not executed. */
export class SessionLost extends Error {
  constructor() {
    super('the backend has forgotten the session')
    this.name = 'SessionLost'
  }
}

/** A server that loses every session right after it was opened. */
export function forgetfulServer(): GatewayError {
  return new GatewayError('BACKEND_UNREACHABLE', 'it forgets every session as soon as it is opened')
}

/** The server no longer speaks the era of this leg. The request was not executed. */
export class EraChanged extends GatewayError<'BACKEND_UNREACHABLE'> {
  constructor(era: Era) {
    super('BACKEND_UNREACHABLE', `it no longer speaks the ${era} protocol; the gateway connects anew, try again`)
  }
}
