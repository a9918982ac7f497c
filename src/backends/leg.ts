import type { Era } from '../model/backend.ts'
import type { Deadline, Notification, ResultStream } from '../model/call.ts'
import type { Cancellation } from '../model/cancellation.ts'
import { GatewayError } from '../model/errors.ts'
import type { BackendId } from '../model/ids.ts'
import type { JsonObject } from '../model/json.ts'
import type { Identity } from '../protocol/translate.ts'
import type { Telemetry } from '../telemetry/events.ts'

/** What every connector needs to know besides its endpoint. */
export interface LegContext {
  backend: BackendId
  identity: Identity
  telemetry: Telemetry
  /** Largest message that may be buffered, bytes. */
  maxMessageBytes: number
  /** The backend said that its lists changed, or they may have changed unseen. */
  onListChanged: () => void
  /** The leg is gone without being asked to: process exit. */
  onLost: (error: Error) => void
}

export interface UpstreamRequest {
  method: string
  /** As the caller sent them; the leg replaces hop keys and the progress token. */
  params: JsonObject
  /** Top-level fields of `params` that differ for this backend (the native name). */
  patch: JsonObject
  signal: Cancellation
  deadline?: Deadline | undefined
  /** Progress of this request, with the gateway's token. Absent: the caller asked for none. */
  onProgress?: ((notification: Notification) => void) | undefined
  /** The caller takes a large result as bytes; only then may a reply be a stream. */
  streaming: boolean
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
  /**
   * Throws `BACKEND_ERROR` (the backend's own JSON-RPC error), `BACKEND_UNREACHABLE`, `BACKEND_PROTOCOL`,
   * the signal's reason, or `SessionLost` when the request was not executed and a new leg may repeat it.
   */
  request(request: UpstreamRequest): Promise<Reply>
  /** Starts watching for list changes, as far as the server can tell. */
  listen(): void
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
