import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Context } from '../../../model/call.ts'
import { GatewayError } from '../../../model/errors.ts'
import type { JsonObject, JsonValue } from '../../../model/json.ts'
import type { Principal } from '../../../model/principal.ts'
import type { Message } from '../../../protocol/jsonrpc.ts'
import { eraOf } from '../../../protocol/revisions.ts'
import type { Gateway } from '../../gateway.ts'
import { answerBatch, batchOf } from '../legacy/batch.ts'
import { handshakeOf } from '../answering/handshake.ts'
import { takeNotification } from '../legacy/client-notifications.ts'
import type { Request } from '../answering/response-text.ts'
import { RunningCall } from '../legacy/running.ts'
import { acceptedTypes } from './accept.ts'
import { deliver } from './deliver.ts'
import { passedHeaders } from './passed-headers.ts'
import { Responder } from './responder.ts'
import type { Session } from './session.ts'
import { Sessions } from './sessions.ts'

/** Streamable HTTP of the legacy revisions 2025-03-26 .. 2025-11-25: sessions, GET stream, DELETE. */
export class LegacyDoor {
  readonly #gateway: Gateway
  readonly sessions: Sessions

  constructor(gateway: Gateway) {
    this.#gateway = gateway
    this.sessions = new Sessions(gateway)
  }

  /** Throws when the request is not to be served at all. */
  request(
    req: IncomingMessage,
    res: ServerResponse,
    responder: Responder,
    request: Request,
    principal: Principal,
  ): void {
    const { id, method, params } = request
    const session = method === 'initialize' ? this.#open(res, params, principal) : this.#sessionOf(req, principal)
    // Before the handshake is answered nobody can come back.
    if (method !== 'initialize') responder.keepIn(session.streams)
    const running = new RunningCall(id)
    session.running.add(running)
    const { emit, flow, ask, letGo } = wayBack(responder, session)
    const context = session.context(running, {
      streaming: true,
      emit,
      flow,
      ask,
      letGo,
      passed: passedHeaders(req, this.#gateway),
    })
    // A legacy client that disconnects has not cancelled: the call goes on.
    void deliver(this.#gateway, responder, request, context, session, () => {
      session.running.remove(running)
      session.lastSeen = Date.now()
    })
  }

  notification(
    req: IncomingMessage,
    res: ServerResponse,
    method: string,
    params: JsonObject,
    principal: Principal,
  ): void {
    const session = this.#sessionOf(req, principal)
    takeNotification(this.#gateway, session, method, params)
    res.writeHead(202).end()
  }

  /** An answer to something that the client was asked. */
  response(
    req: IncomingMessage,
    res: ServerResponse,
    message: Message & { kind: 'response' | 'error' },
    principal: Principal,
  ): void {
    this.#sessionOf(req, principal).answer(message)
    res.writeHead(202).end()
  }

  /** An answer that is refused as malformed: if a session waits for it, it waits no longer. */
  settle(req: IncomingMessage, message: Message & { kind: 'error' }, principal: Principal): void {
    try {
      this.#sessionOf(req, principal).answer(message)
    } catch {
      // It is refused anyway.
    }
  }

  batch(req: IncomingMessage, res: ServerResponse, items: readonly JsonValue[], principal: Principal): void {
    const session = this.#sessionOf(req, principal)
    const members = batchOf(session, items)
    const responder = new Responder(req, res)
    responder.keepIn(session.streams)
    void answerBatch(this.#gateway, session, members, wayBack(responder, session)).then((texts) => {
      responder.finishAll(texts)
      session.lastSeen = Date.now()
    })
  }

  get(req: IncomingMessage, res: ServerResponse, principal: Principal): void {
    if (!acceptedTypes(req.headers.accept).events) {
      throw new GatewayError('NOT_ACCEPTABLE', 'Not Acceptable: the client must accept text/event-stream')
    }
    this.#sessionOf(req, principal).listen(req, res)
  }

  delete(req: IncomingMessage, res: ServerResponse, principal: Principal): void {
    this.sessions.close(this.#sessionOf(req, principal), 'ended by the client')
    res.writeHead(200, ['Content-Length', '0']).end()
  }

  #open(res: ServerResponse, params: JsonObject, principal: Principal): Session {
    const session = this.sessions.open(principal, handshakeOf(params))
    res.setHeader('Mcp-Session-Id', session.id)
    return session
  }

  #sessionOf(req: IncomingMessage, principal: Principal): Session {
    const version = req.headers['mcp-protocol-version']
    if (typeof version === 'string' && eraOf(version.trim()) === undefined) {
      throw new GatewayError('REQUEST_MALFORMED', `Bad Request: unsupported protocol version ${version.slice(0, 40)}`)
    }
    const id = req.headers['mcp-session-id']
    return this.sessions.find(typeof id === 'string' ? id : undefined, principal)
  }
}

/** How backends reach the client while they answer it: on the stream of its request, if it takes one. */
function wayBack(responder: Responder, session: Session): Pick<Context, 'emit' | 'flow' | 'ask' | 'letGo'> {
  if (!responder.takesEvents) return { emit: undefined, ask: session.ask }
  return {
    emit: responder.notify,
    flow: responder,
    ask: (question, signal) => session.askOver(responder.send, question, signal),
    letGo: session.streams.primes ? responder.letGo : undefined,
  }
}
