import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { GatewayError } from '../../../model/errors.ts'
import type { SessionId } from '../../../model/ids.ts'
import { sessionOwner } from '../../../model/ids.ts'
import type { Principal } from '../../../model/principal.ts'
import { principalKey } from '../../../model/principal.ts'
import { classifyEra } from '../../../protocol/classify.ts'
import type { Message } from '../../../protocol/jsonrpc.ts'
import type { Gateway } from '../../gateway.ts'
import { Conversation } from '../legacy/conversation.ts'
import { failureText } from '../answering/response-text.ts'
import { acceptedTypes } from './accept.ts'
import { EventStream } from './streams/event-stream.ts'

const MAX_SESSIONS = 10_000
/** Requests of one client at a time. Nothing else holds it back: each is taken before it is answered. */
const MAX_RUNNING = 1000

/** One client: everything that it is told comes on its stream, which it cannot resume. */
interface SseSession {
  principal: Principal
  events: EventStream
  conversation: Conversation
}

/** HTTP+SSE of 2024-11-05: an event stream for each client, and a second URL that it posts to. */
export class SseDoor {
  readonly #gateway: Gateway
  readonly #sessions = new Map<string, SseSession>()

  constructor(gateway: Gateway) {
    this.#gateway = gateway
  }

  /** Throws `NOT_ACCEPTABLE` and `SESSIONS_EXHAUSTED`. */
  connect(req: IncomingMessage, res: ServerResponse, principal: Principal): void {
    if (!acceptedTypes(req.headers.accept).events) {
      throw new GatewayError('NOT_ACCEPTABLE', 'Not Acceptable: the client must accept text/event-stream')
    }
    if (this.#sessions.size >= MAX_SESSIONS) {
      throw new GatewayError('SESSIONS_EXHAUSTED', `all ${MAX_SESSIONS} sessions are in use; try again later`)
    }
    const id = randomUUID()
    const events = new EventStream(res, () => {
      this.#sessions.delete(id)
      conversation.end(new GatewayError('CANCELLED', 'the client closed its stream'))
    })
    const conversation = new Conversation(this.#gateway, principal, sessionOwner(id as string as SessionId), {
      put: (json) => events.insist(json),
      send: (json) => events.send(json),
      flow: events.flow,
    })
    res.on('drain', () => conversation.flush())
    this.#sessions.set(id, { principal, events, conversation })
    events.write(`event: endpoint\ndata: /messages?sessionId=${id}\n\n`)
  }

  /** Whether a message may be posted to `url`. Throws `SESSION_MISSING`, `SESSION_UNKNOWN`. */
  check(url: string, principal: Principal): void {
    this.#sessionOf(url, principal)
  }

  /** A message that was posted to `url`; what it is answered with comes on the stream. Throws as `check` and when it is malformed. */
  take(url: string, message: Message, principal: Principal): void {
    const { conversation, events } = this.#sessionOf(url, principal)
    const follow = (work: Promise<void>, id: string): void => {
      work.catch((failure: unknown) => events.insist(failureText(this.#gateway, id, '', failure, 'legacy')))
    }
    switch (message.kind) {
      case 'request':
        if (classifyEra(message.method, message.params, undefined).era === 'modern') {
          throw new GatewayError('REQUEST_MALFORMED', 'Bad Request: HTTP+SSE carries the revisions before 2026-07-28')
        }
        if ((conversation.client?.running.size ?? 0) >= MAX_RUNNING) {
          throw new GatewayError('SESSIONS_EXHAUSTED', `${MAX_RUNNING} requests are running; wait for their answers`)
        }
        return follow(conversation.request(message), message.id)
      case 'batch':
        return follow(conversation.batch(message.items), 'null')
      case 'notification':
        return conversation.notification(message.method, message.params)
      case 'response':
      case 'error':
        return conversation.answer(message)
      case 'invalid':
        throw new GatewayError('REQUEST_MALFORMED', `Invalid Request: ${message.problem}`)
    }
  }

  /** Ends the streams of clients that wait for nothing. */
  closeIdle(): void {
    for (const { events, conversation } of this.#sessions.values()) {
      if ((conversation.client?.running.size ?? 0) === 0) events.close()
    }
  }

  closeAll(): void {
    for (const { events } of this.#sessions.values()) events.cut()
  }

  #sessionOf(url: string, principal: Principal): SseSession {
    const id = new URLSearchParams(url.slice(url.indexOf('?') + 1)).get('sessionId')
    if (id === null) {
      throw new GatewayError('SESSION_MISSING', 'Bad Request: the parameter sessionId is required (GET /sse first)')
    }
    const session = this.#sessions.get(id)
    if (!session || principalKey(session.principal) !== principalKey(principal)) {
      throw new GatewayError('SESSION_UNKNOWN', 'Session not found')
    }
    session.conversation.renew(principal)
    return session
  }
}
