import type { Dispatcher } from 'undici'
import { Pool } from 'undici'
import type { HttpEndpoint } from '../../model/backend.ts'
import type { Credential } from '../../model/credential.ts'
import { GatewayError } from '../../model/errors.ts'
import type { Principal } from '../../model/principal.ts'
import type { HttpAnswer, ExchangeOptions } from './exchange.ts'
import { Exchange } from './exchange.ts'
import { HttpRefusal, challengeIn } from './refusal.ts'
import { isRefusal, showing, type Refused } from './showing.ts'

/** Connections to one backend at once; requests beyond wait their turn. */
const MAX_CONNECTIONS = 1024
const CONNECT_TIMEOUT_MS = 10_000

const NOTHING: readonly string[] = []
/** No request was sent, so there is none to be controlled. */
const NOT_SENT = undefined as unknown as Dispatcher.DispatchController

/** What every message to a backend says of itself and takes. */
export const JSON_HEADERS: readonly string[] = [
  'content-type',
  'application/json',
  'accept',
  'application/json, text/event-stream',
]
export const STREAM_HEADERS: readonly string[] = ['accept', 'text/event-stream']

/** The connections of one HTTP backend: kept alive, shared by all its legs. */
export class HttpWire {
  readonly #pool: Pool
  /** Streams stay for the life of a session: calls must not wait for their connections. */
  readonly #streams: Pool
  readonly #path: string
  /** Flat name, value, name, value: the cheapest form on the call path. */
  readonly #headers: readonly string[]
  readonly #credential: Credential | undefined
  /** Of `#headers`, lower case. */
  readonly #names: ReadonlySet<string>
  /** For people, clients among them: scheme, host and port. Path and query of hosted servers may carry a key. */
  readonly address: string

  /** Throws `BACKEND_UNREACHABLE` when the url is none. */
  constructor(endpoint: Pick<HttpEndpoint, 'url' | 'headers'>, credential?: Credential) {
    this.#credential = credential
    const url = parseUrl(endpoint.url)
    this.#path = url.pathname + url.search
    this.address = url.origin
    this.#headers = Object.entries(endpoint.headers).flatMap(([name, value]) => [name, value.reveal()])
    if (url.username !== '' || url.password !== '') {
      const credentials = `${decoded(url.username)}:${decoded(url.password)}`
      this.#headers = [...this.#headers, 'authorization', `Basic ${Buffer.from(credentials).toString('base64')}`]
    }
    this.#names = new Set(this.#headers.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase()))
    const options = {
      connect: { timeout: CONNECT_TIMEOUT_MS },
      keepAliveTimeout: 60_000,
      // Silence is judged by the deadline of each call, which knows which signs of life count.
      headersTimeout: 0,
      bodyTimeout: 0,
    }
    this.#pool = new Pool(url.origin, { ...options, connections: MAX_CONNECTIONS })
    this.#streams = new Pool(url.origin, { ...options, connections: null })
  }

  /** Headers of a leg in front of those of the endpoint, ready to be extended per call. */
  headers(own: readonly string[]): string[] {
    return [...own, ...this.#headers]
  }

  /**
   * Sends what this principal wants sent: `send` gets the headers that show who it is, and is called again with others
   * when the backend has refused those. Throws what `Credential.headers` and `Credential.refused` throw.
   */
  as(principal: Principal, send: (shown: readonly string[]) => Promise<HttpAnswer>): Promise<HttpAnswer> {
    const credential = this.#credential
    return credential ? showing({ credential, principal, send, refusalOf: refusalIn }) : send(NOTHING)
  }

  /** What is shown, and the headers that a caller's request brings along; those of the configuration win. */
  with(headers: string[], shown: readonly string[], passed: readonly string[] = NOTHING): string[] {
    if (passed.length === 0) return shown.length === 0 ? headers : [...headers, ...shown]
    const all = [...headers, ...shown]
    for (let at = 0; at < passed.length; at += 2) {
      const [name = '', value = ''] = passed.slice(at, at + 2)
      if (!this.#names.has(name)) all.push(name, value)
    }
    return all
  }

  post(body: string, headers: string[], options: ExchangeOptions): Exchange {
    const exchange = new Exchange(options)
    this.#pool.dispatch({ path: this.#path, method: 'POST', headers, body }, exchange)
    return exchange
  }

  /**
   * A message of the gateway's own: nobody's deadline, nothing streamed. `id` is `undefined` for a notification.
   * Throws the signal's reason, `BACKEND_UNREACHABLE` and `BACKEND_PROTOCOL`.
   */
  async postOwn(
    body: string,
    headers: string[],
    { principal, ...sent }: Pick<ExchangeOptions, 'id' | 'signal' | 'maxMessageBytes'> & { principal: Principal },
    path = this.#path,
  ): Promise<HttpAnswer> {
    const options = { ...sent, deadline: undefined, streaming: false, onMessage: undefined, resume: undefined }
    try {
      return await this.as(principal, (shown) => {
        const exchange = new Exchange(options)
        this.#pool.dispatch({ path, method: 'POST', headers: this.with(headers, shown), body }, exchange)
        return exchange.answer
      })
    } catch (error) {
      throw networkFault(error, this.address)
    }
  }

  /** A long-lived stream into a handler of the caller's own: a GET, or a POST when there is a body. */
  open(body: string | undefined, own: string[], handler: Dispatcher.DispatchHandler, principal: Principal): void {
    this.#shown(principal, own, handler, (headers) => this.#openStream(body, headers, handler))
  }

  /** The same for one that must stand before anything else: `attempt` is called again as `send` of `as` is. */
  async opened<Value>(
    principal: Principal,
    own: string[],
    attempt: (open: (handler: Dispatcher.DispatchHandler) => void) => Promise<Value>,
  ): Promise<Value> {
    const openWith = async (shown: readonly string[]): Promise<{ value: Value } | { refusal: HttpRefusal }> => {
      try {
        return { value: await attempt((handler) => this.#openStream(undefined, this.with(own, shown), handler)) }
      } catch (error) {
        if (error instanceof HttpRefusal) return { refusal: error }
        throw error
      }
    }
    const credential = this.#credential
    const asked = credential
      ? await showing({ credential, principal, send: openWith, refusalOf: turnedAway })
      : await openWith(NOTHING)
    if ('refusal' in asked) throw asked.refusal
    return asked.value
  }

  #openStream(body: string | undefined, headers: string[], handler: Dispatcher.DispatchHandler): void {
    const path = this.#path
    if (body === undefined) this.#streams.dispatch({ path, method: 'GET', headers }, handler)
    else this.#streams.dispatch({ path, method: 'POST', headers, body }, handler)
  }

  /** DELETE: the end of a session. */
  delete(own: string[], handler: Dispatcher.DispatchHandler, principal: Principal): void {
    this.#shown(principal, own, handler, (headers) => {
      this.#pool.dispatch({ path: this.#path, method: 'DELETE', headers }, handler)
    })
  }

  /** What cannot be shown counts as a request that failed. */
  #shown(
    principal: Principal,
    own: string[],
    handler: Dispatcher.DispatchHandler,
    dispatch: (headers: string[]) => void,
  ): void {
    const fail = (error: Error): void => handler.onResponseError?.(NOT_SENT, error)
    const send = (shown: readonly string[]): void => dispatch(this.with(own, shown))
    Promise.resolve(this.#credential?.headers(principal) ?? NOTHING).then(send, fail)
  }

  /** The same host under another path; `undefined` when `url` leads elsewhere. Relative to the endpoint's url. */
  pathOf(url: string): string | undefined {
    const target = URL.parse(url, `${this.address}${this.#path}`)
    return target?.origin === this.address ? target.pathname + target.search : undefined
  }

  async close(): Promise<void> {
    await Promise.all([this.#pool.destroy(), this.#streams.destroy()])
  }
}

function turnedAway(end: { value: unknown } | { refusal: HttpRefusal }): Refused | undefined {
  if (!('refusal' in end)) return undefined
  const { status, upstreamChallenge: challenge } = end.refusal
  return isRefusal(status) ? { status, challenge } : undefined
}

function refusalIn(answer: HttpAnswer): Refused | undefined {
  if (answer.kind === 'stream' || !isRefusal(answer.status)) return undefined
  return { status: answer.status, challenge: challengeIn(answer.headers) }
}

/** A malformed url is not repeated: nobody can tell which part of it is a secret. */
function parseUrl(text: string): URL {
  const url = URL.parse(text)
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url
  throw new GatewayError(
    'BACKEND_UNREACHABLE',
    'the url of this backend is not a valid URL of http or https (key: url)',
  )
}

/** User info as it is when a percent sign in it encodes nothing. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const NETWORK_CAUSES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'the host name does not resolve',
  EAI_AGAIN: 'the host name does not resolve at the moment',
  ECONNRESET: 'the connection was reset',
  UND_ERR_SOCKET: 'the connection was closed',
  UND_ERR_CONNECT_TIMEOUT: 'no connection within 10 s',
  EHOSTUNREACH: 'the host is unreachable',
  ENETUNREACH: 'the network is unreachable',
  CERT_HAS_EXPIRED: 'the certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is self-signed',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the certificate cannot be verified',
}

/** Failures before a connection stands. */
const BEFORE_SENDING: ReadonlySet<string | undefined> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
])

const WAYS_OUT: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'is the server running?',
  ECONNRESET: 'the log of the server may tell why',
  UND_ERR_SOCKET: 'the log of the server may tell why',
  CERT_HAS_EXPIRED: 'renew it',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'NODE_EXTRA_CA_CERTS names a file of authorities to trust',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'NODE_EXTRA_CA_CERTS names a file of authorities to trust',
}

/** A failure of the network or of `undici` in the gateway's words. Errors of ours pass. */
export function networkFault(error: unknown, address: string): Error {
  if (error instanceof GatewayError) return error
  const code = errorCode(error)
  const cause = (code && NETWORK_CAUSES[code]) ?? code ?? 'the connection failed'
  const wayOut = (code && WAYS_OUT[code]) ?? 'does its url lead to the server?'
  const unsent = BEFORE_SENDING.has(code)
  return new GatewayError('BACKEND_UNREACHABLE', `${cause} at ${address} (${wayOut})`, { cause: error, unsent })
}

function errorCode(error: unknown): string | undefined {
  if (error instanceof AggregateError && error.errors.length > 0) return errorCode(error.errors[0])
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : undefined
}
