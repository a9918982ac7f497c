import type { IncomingMessage, ServerResponse } from 'node:http'
import { GatewayError } from '../../../model/errors.ts'
import { isLoopbackName } from '../../../model/loopback.ts'
import { isRepeated } from './repeated.ts'

export interface GuardSettings {
  /** The listener is bound to a loopback address. */
  loopback: boolean
  allowedHosts: readonly string[]
  allowedOrigins: readonly string[]
}

const CORS_METHODS = 'GET, POST, DELETE, OPTIONS'
const CORS_HEADERS =
  'Content-Type, Accept, Authorization, Mcp-Session-Id, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Last-Event-ID'
const CORS_EXPOSED = 'Mcp-Session-Id, WWW-Authenticate'

/**
 * Host and Origin checks against DNS rebinding (transports, "Security warning"), and CORS for origins that may come.
 * On loopback any page of any site can reach us by a name that it controls, so the name must be loopback too.
 */
export class Guard {
  readonly #loopback: boolean
  readonly #hosts: ReadonlySet<string>
  readonly #origins: ReadonlySet<string>
  /** The last one that was allowed: clients come with one and the same. */
  #latestHost: string | undefined

  constructor({ loopback, allowedHosts, allowedOrigins }: GuardSettings) {
    this.#loopback = loopback
    this.#hosts = new Set(allowedHosts.map((host) => host.toLowerCase()))
    this.#origins = new Set(allowedOrigins.map((origin) => origin.toLowerCase().replace(/\/$/, '')))
  }

  /** Throws `FORBIDDEN_ORIGIN`, and `REQUEST_MALFORMED` for two hosts (RFC 9112 section 3.2). */
  check(req: IncomingMessage): void {
    const { host, origin } = req.headers
    if (isRepeated(req, 'host')) throw new GatewayError('REQUEST_MALFORMED', 'Bad Request: two Host headers')
    if (!this.#hostAllowed(host)) throw new GatewayError('FORBIDDEN_ORIGIN', 'Forbidden: this Host is not served here')
    if (origin !== undefined && !this.#originAllowed(origin, host)) {
      throw new GatewayError(
        'FORBIDDEN_ORIGIN',
        'Forbidden: this Origin may not use this endpoint (key: allowedOrigins)',
      )
    }
  }

  /** For an origin that has passed `check`. */
  allowOrigin(req: IncomingMessage, res: ServerResponse): void {
    const { origin } = req.headers
    if (origin === undefined) return
    res.setHeader('Access-Control-Allow-Origin', origin)
    res.setHeader('Access-Control-Expose-Headers', CORS_EXPOSED)
    res.setHeader('Vary', 'Origin')
  }

  preflight(req: IncomingMessage, res: ServerResponse): void {
    if (req.headers.origin !== undefined) {
      res.setHeader('Access-Control-Allow-Methods', CORS_METHODS)
      res.setHeader('Access-Control-Allow-Headers', requestedHeaders(req) ?? CORS_HEADERS)
      res.setHeader('Access-Control-Max-Age', '600')
    }
    res.writeHead(204, { Allow: CORS_METHODS }).end()
  }

  #hostAllowed(host: string | undefined): boolean {
    if (host !== undefined && host === this.#latestHost) return true
    const allowed = this.#judgeHost(host)
    if (allowed) this.#latestHost = host
    return allowed
  }

  #judgeHost(host: string | undefined): boolean {
    if (!this.#loopback) return this.#hosts.size === 0 || (host !== undefined && this.#listed(host))
    return host !== undefined && (isLoopbackName(nameOf(host)) || this.#listed(host))
  }

  #listed(host: string): boolean {
    const lower = host.toLowerCase()
    return this.#hosts.has(lower) || this.#hosts.has(nameOf(lower))
  }

  #originAllowed(origin: string, host: string | undefined): boolean {
    if (this.#origins.has(origin.toLowerCase())) return true
    if (!URL.canParse(origin)) return false
    const url = new URL(origin)
    if (url.protocol !== 'http:' && url.protocol !== 'https:') return false
    if (this.#loopback && isLoopbackName(url.hostname)) return true
    return host !== undefined && url.host === host.toLowerCase()
  }
}

/** Header names only: the value is echoed. */
function requestedHeaders(req: IncomingMessage): string | undefined {
  const asked = req.headers['access-control-request-headers']
  return typeof asked === 'string' && asked.length < 2000 && /^[\w\-, ]+$/.test(asked) ? asked : undefined
}

const HOST = /^(\[[^\]]*\]|[^:]*)(?::\d{0,5})?$/

/** The name without its port; empty when this is no host. */
export function nameOf(host: string): string {
  return HOST.exec(host)?.[1] ?? ''
}
