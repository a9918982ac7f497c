import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Change } from '../../../model/call.ts'
import type { SessionId } from '../../../model/ids.ts'
import { sessionOwner } from '../../../model/ids.ts'
import type { JsonObject } from '../../../model/json.ts'
import type { Principal } from '../../../model/principal.ts'
import type { Handshake } from '../answering/handshake.ts'
import { LegacyClient } from '../legacy/legacy-client.ts'
import { ListNotices } from '../legacy/list-notices.ts'
import type { EventMemory } from './streams/event-memory.ts'
import { SessionStreams } from './streams/session-streams.ts'

/** One legacy client that shook hands over streamable HTTP. */
export class Session extends LegacyClient {
  readonly id: SessionId
  readonly streams: SessionStreams
  lastSeen = Date.now()
  readonly #notices: ListNotices

  constructor(principal: Principal, handshake: Handshake, memory: EventMemory) {
    const id = randomUUID() as string as SessionId
    const streams = new SessionStreams(handshake.revision, memory)
    super(principal, sessionOwner(id), handshake, (json) => streams.send(json))
    this.id = id
    this.streams = streams
    // Kept for a stream that was lost, it would reach nobody when the client opens another one.
    this.#notices = new ListNotices((json) => streams.connected && streams.send(json) && streams.connected)
  }

  get idle(): boolean {
    // A question keeps nothing alive: a client that is gone will never answer it.
    return !this.streams.connected && this.running.size === 0
  }

  /** A GET: a new stream, or one that was lost. */
  listen(req: IncomingMessage, res: ServerResponse): void {
    const lastEventId = req.headers['last-event-id']
    this.streams.get(res, typeof lastEventId === 'string' ? lastEventId : undefined)
    this.#notices.flush()
    this.followed?.flush()
  }

  override tellUpdated(update: JsonObject): boolean {
    return this.streams.connected && super.tellUpdated(update) && this.streams.connected
  }

  tell(change: Change): void {
    this.#notices.tell(change)
  }

  override end(reason: Error): void {
    super.end(reason)
    this.streams.close()
  }
}
