import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Context } from '../../../model/call.ts'
import { GatewayError } from '../../../model/errors.ts'
import type { JsonObject } from '../../../model/json.ts'
import type { Principal } from '../../../model/principal.ts'
import type { Message } from '../../../protocol/jsonrpc.ts'
import { eraOf } from '../../../protocol/revisions.ts'
import type { Gateway } from '../../gateway.ts'
import { handshakeOf } from '../handshake.ts'
import { takeNotification } from '../client-notifications.ts'
import { RunningCall } from '../running.ts'
import type { Session, SessionStream } from '../sessions.ts'
import { Sessions } from '../sessions.ts'
import { acceptedTypes } from './accept.ts'
import { EventStream } from './event-stream.ts'
import type { Responder } from './responder.ts'
import { deliver } from './deliver.ts'

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
    message: { id: string; method: string; params: JsonObject },
    principal: Principal,
  ): void {
    const { id, method, params } = message
    const session = method === 'initialize' ? this.#open(res, params, principal) : this.#sessionOf(req, principal)
    const running = new RunningCall(id)
    session.running.add(running)
    const { takesEvents } = responder
    const way = {
      streaming: true,
      emit: takesEvents ? responder.notify : undefined,
      ask: takesEvents ? (question, signal) => session.askOver(responder.send, question, signal) : session.ask,
    } satisfies Pick<Context, 'streaming' | 'emit' | 'ask'>
    // A legacy client that disconnects has not cancelled: the call goes on.
    void deliver(this.#gateway, responder, { id, method, params }, session.context(running, way), session, () => {
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

  get(req: IncomingMessage, res: ServerResponse, principal: Principal): void {
    if (!acceptedTypes(req.headers.accept).events) {
      throw new GatewayError('NOT_ACCEPTABLE', 'Not Acceptable: the client must accept text/event-stream')
    }
    const session = this.#sessionOf(req, principal)
    const events = new EventStream(res, () => session.detach(stream))
    const stream: SessionStream = {
      send: (json) => events.send(json),
      close: () => events.close(),
    }
    session.attach(stream)
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
