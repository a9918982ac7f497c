import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Caller, Context } from '../../../model/call.ts'
import { Cancellation } from '../../../model/cancellation.ts'
import { GatewayError } from '../../../model/errors.ts'
import type { JsonObject } from '../../../model/json.ts'
import type { Principal } from '../../../model/principal.ts'
import type { Envelope } from '../../../protocol/envelope.ts'
import { headerMismatch } from '../../../protocol/headers.ts'
import type { Gateway } from '../../gateway.ts'
import type { Way } from '../legacy/conversation.ts'
import { Subscription } from '../listening/subscription.ts'
import { modernCaller } from '../modern-caller.ts'
import { deliver } from './deliver.ts'
import { endWithToken } from './entrance.ts'
import { EventStream } from './streams/event-stream.ts'
import { passedHeaders } from './passed-headers.ts'
import type { Responder } from './responder.ts'

/** Streamable HTTP of 2026-07-28: no session, everything in the request. */
export class ModernDoor {
  readonly #gateway: Gateway
  readonly #subscriptions = new Set<Subscription>()

  constructor(gateway: Gateway) {
    this.#gateway = gateway
  }

  /** Throws when the request is not to be served at all. */
  request(
    req: IncomingMessage,
    res: ServerResponse,
    responder: Responder,
    message: { id: string; method: string; params: JsonObject },
    envelope: Envelope,
    principal: Principal,
  ): void {
    const { id, method, params } = message
    const mismatch = headerMismatch(standardHeaders(req), envelope.version, method, params)
    if (mismatch !== undefined) throw new GatewayError('HEADER_MISMATCH', `Bad Request: ${mismatch}`)
    if (method === 'subscriptions/listen') {
      responder.abandon()
      return this.#listen(res, id, params, modernCaller(envelope, principal))
    }
    const signal = new Cancellation()
    const context: Context = {
      ...modernCaller(envelope, principal),
      signal,
      deadline: undefined,
      streaming: true,
      emit: responder.takesEvents ? responder.notify : undefined,
      flow: responder,
      ask: undefined,
      header: (name) => single(req.headers[name]),
      passed: passedHeaders(req, this.#gateway),
    }
    // Closing the response stream is how a modern client cancels.
    res.once('close', () => {
      if (!res.writableFinished) signal.cancel(new GatewayError('CANCELLED', 'the client closed the stream'))
    })
    void deliver(this.#gateway, responder, message, context, undefined, () => {})
  }

  closeAll(): void {
    for (const subscription of this.#subscriptions) subscription.end()
  }

  #listen(res: ServerResponse, id: string, params: JsonObject, caller: Caller): void {
    const subscription = new Subscription(id, params, this.#gateway, caller)
    const unwatch = this.#gateway.core.watch(caller, (change) => subscription.tell(change))
    const events = new EventStream(res, () => {
      unwatch()
      subscription.leave()
      this.#subscriptions.delete(subscription)
    })
    this.#subscriptions.add(subscription)
    endWithToken(caller.principal, res, () => subscription.end())
    const way: Way = {
      put: (json) => events.put(json),
      send: (json) => {
        events.insist(json)
        return true
      },
      flow: events.flow,
    }
    void subscription.start(way, () => events.close())
  }
}

function standardHeaders(req: IncomingMessage): {
  version: string | undefined
  method: string | undefined
  name: string | undefined
} {
  const { headers } = req
  return {
    version: single(headers['mcp-protocol-version']),
    method: single(headers['mcp-method']),
    name: single(headers['mcp-name']),
  }
}

function single(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.[0]
}
