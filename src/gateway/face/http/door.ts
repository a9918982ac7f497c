import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { GatewayError } from '../../../model/errors.ts'
import type { JsonObject } from '../../../model/json.ts'
import { isLoopbackName } from '../../../model/loopback.ts'
import type { Principal } from '../../../model/principal.ts'
import { classifyEra } from '../../../protocol/classify.ts'
import type { Message } from '../../../protocol/jsonrpc.ts'
import { clip } from '../../../protocol/clip.ts'
import { errorText, parseMessage } from '../../../protocol/jsonrpc.ts'
import { eraOf } from '../../../protocol/revisions.ts'
import type { GatewayConfig } from '../../../config/gateway-config.ts'
import type { Gateway } from '../../gateway.ts'
import { renderError } from '../answering/wire-error.ts'
import { acceptedTypes } from './accept.ts'
import { answerAdmin } from './admin.ts'
import { Allowance } from './allowance.ts'
import { readBody } from './body.ts'
import { Entrance, endWithToken, entranceKey } from './entrance.ts'
import { Guard } from './guard.ts'
import { LegacyDoor } from './legacy.ts'
import { ModernDoor } from './modern.ts'
import { answerPage } from './pages.ts'
import { Responder } from './responder.ts'
import { makeServer } from './server.ts'
import { answerRunHistory } from './run-history.ts'
import { SseDoor } from './sse.ts'

const MAX_HEADERS = 100

export interface ListenOptions {
  host: string
  /** 0: any free port. */
  port: number
  /** Where a token is kept that was made for `incomingAuth.type: local`. Absent: it lives as long as the door. */
  stateFolder?: string
}

/** The HTTP door: everything about bytes (hosts, origins, sizes, media types), then one of the two eras. */
export class HttpDoor {
  readonly #gateway: Gateway
  readonly #loopback: boolean
  readonly #legacy: LegacyDoor
  readonly #modern: ModernDoor
  readonly #sse: SseDoor
  readonly #server: Server
  readonly #stateFolder: string | undefined
  readonly #unfollow: () => void
  /** Made from `#config`. */
  #guard: Guard
  #allowance: Allowance
  #entrance: Entrance
  /** Of what `#entrance` was made from. */
  #entranceKey: string
  #config: GatewayConfig

  private constructor(gateway: Gateway, { host, stateFolder }: ListenOptions) {
    this.#gateway = gateway
    this.#loopback = isLoopbackName(host)
    this.#stateFolder = stateFolder
    this.#config = gateway.current.config
    this.#guard = new Guard({ loopback: this.#loopback, ...this.#config.door })
    this.#allowance = new Allowance(this.#config.door)
    this.#entrance = new Entrance(this.#config, gateway.telemetry, stateFolder)
    this.#entranceKey = entranceKey(this.#config)
    this.#unfollow = gateway.onReload(() => this.#follow())
    this.#legacy = new LegacyDoor(gateway)
    this.#modern = new ModernDoor(gateway)
    this.#sse = new SseDoor(gateway)
    this.#server = makeServer(this.#config.tls, gateway.telemetry, (req, res) => this.#handle(req, res))
    this.#server.maxConnections = this.#config.door.maxConnections
  }

  /** Rejects when the port is taken, and for settings of `incomingAuth` or `tls` that cannot be used. */
  static async listen(gateway: Gateway, options: ListenOptions): Promise<HttpDoor> {
    const door = new HttpDoor(gateway, options)
    await new Promise<void>((resolve, reject) => {
      door.#server.once('error', reject)
      door.#server.listen(options.port, options.host, resolve)
    })
    gateway.start(door.#address(options.host))
    return door
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  #address(host: string): string {
    // Every address is no address.
    const reached = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
    const name = reached.includes(':') ? `[${reached}]` : reached
    return `${this.#config.tls ? 'https' : 'http'}://${name}:${this.port}`
  }

  /** Takes no more requests, ends streams. Calls that run go on, and keep their session and connection. */
  stop(): void {
    this.#server.close()
    this.#endStreams()
    this.#server.closeIdleConnections()
  }

  /** Streams that only listen. Clients open them again. */
  #endStreams(): void {
    this.#modern.closeAll()
    this.#legacy.sessions.endStreams()
    this.#sse.closeIdle()
  }

  /** Cuts what is left. */
  destroy(): void {
    this.#unfollow()
    this.#entrance.close()
    this.#legacy.sessions.closeAll('the gateway is stopping')
    this.#sse.closeAll()
    this.#server.closeAllConnections()
  }

  #handle(req: IncomingMessage, res: ServerResponse): void {
    try {
      if (req.rawHeaders.length > MAX_HEADERS * 2) {
        throw new GatewayError('HEADERS_TOO_LARGE', `Too many header fields: at most ${MAX_HEADERS}`)
      }
      const { url = '/' } = req
      const path = url === '/mcp' ? url : pathOf(url)
      // Probes of an orchestrator come to the address of the pod, which no list can know.
      if (this.#loopback || !PROBES.has(path)) this.#guard.check(req)
      if (req.headers.origin !== undefined) this.#guard.allowOrigin(req, res)
      if (Object.hasOwn(ALLOWED, path)) this.#enter(path, req, res)
      else if (!this.#entrance.answerDocument(path, req, res) && !this.#answerPage(path, req, res))
        answerAdmin(this.#gateway, path, req, res)
    } catch (failure) {
      this.#refuse(res, failure, 'null')
    }
  }

  #answerPage(path: string, req: IncomingMessage, res: ServerResponse): boolean {
    return answerPage(this.#gateway.current.credentials.pages, path, req, res)
  }

  /** After a reload. What cannot be used leaves the door as it was. */
  #follow(): void {
    const { config } = this.#gateway.current
    this.#config = config
    this.#guard = new Guard({ loopback: this.#loopback, ...config.door })
    this.#allowance = new Allowance(config.door)
    this.#server.maxConnections = config.door.maxConnections
    // Tokens that were verified stay verified.
    if (entranceKey(config) === this.#entranceKey) return
    try {
      const next = new Entrance(config, this.#gateway.telemetry, this.#stateFolder)
      this.#entranceKey = entranceKey(config)
      this.#entrance.close()
      this.#entrance = next
      // Whoever listens must come in anew.
      this.#endStreams()
    } catch (error) {
      this.#gateway.telemetry.emit('config.rejected', { faults: [`incomingAuth: ${(error as Error).message}`] })
    }
  }

  #enter(path: string, req: IncomingMessage, res: ServerResponse): void {
    const { method = '' } = req
    if (method === 'OPTIONS') return this.#guard.preflight(req, res)
    const serve = ALLOWED[path]?.[method]
    if (!serve) throw notAllowed(res, [...Object.keys(ALLOWED[path] ?? {}), 'OPTIONS'].join(', '))
    const served = (principal: Principal): void | Promise<void> => {
      this.#allowance.enter(principal, res)
      return this.#serve(serve, req, res, principal)
    }
    const principal = this.#entrance.admit(req)
    const work = principal instanceof Promise ? principal.then(served) : served(principal)
    work?.catch((failure: unknown) => this.#refuse(res, failure, 'null'))
  }

  #serve(verb: Verb, req: IncomingMessage, res: ServerResponse, principal: Principal): void | Promise<void> {
    switch (verb) {
      case 'post':
        return this.#post(req, res, principal)
      case 'get':
        checkLegacy(req, res)
        endWithToken(principal, res, () => res.end())
        return this.#legacy.get(req, res, principal)
      case 'delete':
        checkLegacy(req, res)
        return this.#legacy.delete(req, res, principal)
      case 'connect':
        endWithToken(principal, res, () => res.end())
        return this.#sse.connect(req, res, principal)
      case 'message':
        return this.#postMessage(req, res, principal)
      case 'runs':
        return answerRunHistory(this.#gateway, req, res, principal)
    }
  }

  async #postMessage(req: IncomingMessage, res: ServerResponse, principal: Principal): Promise<void> {
    const { url = '' } = req
    checkContentType(req)
    this.#sse.check(url, principal)
    this.#sse.take(url, parseMessage(await this.#bodyOf(req, principal)), principal)
    res.writeHead(202).end('Accepted')
  }

  #bodyOf(req: IncomingMessage, principal: Principal): Promise<string> {
    return readBody(req, this.#config.door.maxRequestBytes, this.#allowance.body(principal))
  }

  async #post(req: IncomingMessage, res: ServerResponse, principal: Principal): Promise<void> {
    checkMediaTypes(req)
    const message = parseMessage(await this.#bodyOf(req, principal))
    switch (message.kind) {
      case 'request':
        return this.#request(req, res, message, principal)
      case 'notification': {
        const { era } = classifyEra(message.method, message.params, versionOf(req))
        if (era === 'legacy') this.#legacy.notification(req, res, message.method, message.params, principal)
        else res.writeHead(202).end()
        return
      }
      case 'response':
      case 'error':
        if (message.kind === 'error' && message.malformed) return this.#malformedAnswer(req, res, message, principal)
        if (eraOf(versionOf(req) ?? '') === 'modern') {
          throw new GatewayError(
            'REQUEST_MALFORMED',
            'Bad Request: JSON-RPC responses cannot be posted to this endpoint',
          )
        }
        return this.#legacy.response(req, res, message, principal)
      case 'batch':
        if (eraOf(versionOf(req) ?? '') === 'modern') {
          throw new GatewayError('REQUEST_MALFORMED', 'Bad Request: JSON-RPC batches are not served')
        }
        return this.#legacy.batch(req, res, message.items, principal)
      case 'invalid':
        return this.#refuse(
          res,
          new GatewayError('REQUEST_MALFORMED', `Invalid Request: ${message.problem}`),
          message.id,
        )
    }
  }

  /** Refused, and yet the end of the question. */
  #malformedAnswer(
    req: IncomingMessage,
    res: ServerResponse,
    message: Message & { kind: 'error' },
    principal: Principal,
  ): void {
    if (eraOf(versionOf(req) ?? '') === 'legacy') this.#legacy.settle(req, message, principal)
    const { id, error } = message
    this.#refuse(res, new GatewayError('REQUEST_MALFORMED', `Invalid Request: ${error.message}`), JSON.stringify(id))
  }

  #request(
    req: IncomingMessage,
    res: ServerResponse,
    message: { id: string; method: string; params: JsonObject },
    principal: Principal,
  ): void {
    const responder = new Responder(req, res)
    try {
      const inbound = classifyEra(message.method, message.params, versionOf(req))
      if (inbound.era === 'legacy') this.#legacy.request(req, res, responder, message, principal)
      else this.#modern.request(req, res, responder, message, inbound.envelope, principal)
    } catch (failure) {
      responder.abandon()
      this.#refuse(res, failure, message.id)
    }
  }

  #refuse(res: ServerResponse, failure: unknown, id: string): void {
    if (res.headersSent || res.destroyed) return
    if (failure instanceof GatewayError) {
      this.#gateway.telemetry.emit('request.refused', { code: failure.code, why: clip(failure.message) })
    }
    const rendered = renderError(failure, '', 'modern', this.#gateway.telemetry)
    if (rendered.kind !== 'error') return
    const text = errorText(id, rendered.error)
    const challenge = failure instanceof GatewayError ? failure.challenge : undefined
    if (challenge !== undefined) res.setHeader('WWW-Authenticate', challenge)
    res.writeHead(rendered.http, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) })
    res.end(text)
  }
}

type Verb = 'post' | 'get' | 'delete' | 'connect' | 'message' | 'runs'

/** What may be done where (contract 3), besides OPTIONS. */
const ALLOWED: Readonly<Record<string, Readonly<Record<string, Verb>>>> = {
  '/mcp': { GET: 'get', POST: 'post', DELETE: 'delete' },
  '/sse': { GET: 'connect' },
  '/messages': { POST: 'message' },
  '/workflows/runs': { GET: 'runs' },
}

/** Streams and sessions are unknown to modern clients. */
function checkLegacy(req: IncomingMessage, res: ServerResponse): void {
  const version = req.headers['mcp-protocol-version']
  if (typeof version === 'string' && eraOf(version) === 'modern') throw notAllowed(res, 'POST, OPTIONS')
}

const PROBES: ReadonlySet<string> = new Set(['/health', '/ping', '/readyz'])

function pathOf(url: string): string {
  const end = url.search(/[?#]/)
  return end === -1 ? url : url.slice(0, end)
}

function versionOf(req: IncomingMessage): string | undefined {
  const value = req.headers['mcp-protocol-version']
  return typeof value === 'string' ? value : undefined
}

function notAllowed(res: ServerResponse, allow: string): GatewayError {
  res.setHeader('Allow', allow)
  return new GatewayError('METHOD_NOT_ALLOWED', 'Method not allowed')
}

const JSON_TYPE = /^application\/json\s*(?:;|$)/i

function checkContentType(req: IncomingMessage): void {
  const type = req.headers['content-type']
  if (type !== 'application/json' && (type === undefined || !JSON_TYPE.test(type))) {
    throw new GatewayError('MEDIA_TYPE', 'Unsupported Media Type: Content-Type must be application/json')
  }
}

function checkMediaTypes(req: IncomingMessage): void {
  checkContentType(req)
  const { json, events } = acceptedTypes(req.headers.accept)
  if (!json && !events) {
    throw new GatewayError('NOT_ACCEPTABLE', 'Not Acceptable: accept application/json and text/event-stream')
  }
}
