import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Authenticator } from '../../../auth/inbound/authenticator.ts'
import { createAuthenticator } from '../../../auth/inbound/authenticator.ts'
import { metadataPaths } from '../../../auth/inbound/metadata.ts'
import type { GatewayConfig } from '../../../config/gateway-config.ts'
import { GatewayError } from '../../../model/errors.ts'
import { fingerprint } from '../../../model/fingerprint.ts'
import type { Principal } from '../../../model/principal.ts'
import { ANONYMOUS } from '../../../model/principal.ts'
import type { Telemetry } from '../../../telemetry/events.ts'
import { isRepeated } from './repeated.ts'

/** Longer than a timer can wait. */
const LONGEST_MS = 2 ** 31 - 1

/** Equal for configurations with which the same callers come in. */
export function entranceKey({ incomingAuth, publicUrl, name }: GatewayConfig): string {
  const { authz: _, ...identity } = incomingAuth
  return fingerprint([identity, publicUrl, name])
}

/** Who is asking: decided for every request before anything of its body is read. */
export class Entrance {
  readonly #authenticator: Authenticator
  readonly #takesTokens: boolean
  readonly #publicDiscovery: boolean
  /** The path of each document that leads clients to a token, as text (RFC 9728). */
  readonly #documents: ReadonlyMap<string, string>

  /** Throws an `Error` for settings that cannot be used. */
  constructor(config: GatewayConfig, telemetry: Telemetry, stateFolder: string | undefined) {
    const { incomingAuth } = config
    this.#authenticator = createAuthenticator(config, {
      ...(stateFolder !== undefined && { stateFolder }),
      tell: (note) => {
        if (note.kind === 'issuer-failing') telemetry.emit('issuer.failing', { issuer: note.issuer, why: note.why })
        else telemetry.emit('issuer.ready', { issuer: note.issuer, keys: note.keys })
      },
    })
    this.#takesTokens = incomingAuth.type !== 'anonymous'
    this.#publicDiscovery = incomingAuth.publicDiscovery
    const metadata = this.#authenticator.metadata()
    const paths = metadata ? metadataPaths(metadata.resource) : []
    this.#documents = new Map(paths.map((path) => [path, JSON.stringify(metadata)]))
    const { local } = this.#authenticator
    if (local) {
      const { file, made, exposed, token } = local
      telemetry.emit('local.token', { file, exposed, token: made ? token : undefined })
    }
  }

  /** At once where it can be; see `Authenticator.authenticate` for what it throws. */
  admit(req: IncomingMessage): Principal | Promise<Principal> {
    if (!this.#takesTokens) return ANONYMOUS
    const { url = '', headers } = req
    // Addresses end up in logs and in other servers' Referer (RFC 6750 section 2.3).
    if (url.includes('?') && /[?&]access_token=/u.test(url)) {
      throw new GatewayError('REQUEST_MALFORMED', 'Bad Request: tokens belong into the Authorization header')
    }
    const { authorization } = headers
    if (isRepeated(req, 'authorization')) {
      throw new GatewayError('REQUEST_MALFORMED', 'Bad Request: two Authorization headers')
    }
    if (authorization === undefined && this.#publicDiscovery && headers['mcp-method'] === 'server/discover') {
      return ANONYMOUS
    }
    return this.#authenticator.authenticate(authorization)
  }

  /** Answers a request for one of the documents. False: there is none at this path. Throws `METHOD_NOT_ALLOWED`. */
  answerDocument(path: string, req: IncomingMessage, res: ServerResponse): boolean {
    const document = this.#documents.get(path)
    if (document === undefined) return false
    if (req.method !== 'GET' && req.method !== 'HEAD' && req.method !== 'OPTIONS') {
      res.setHeader('Allow', 'GET, HEAD, OPTIONS')
      throw new GatewayError('METHOD_NOT_ALLOWED', 'Method not allowed')
    }
    // Clients in browsers read it before they know anything else.
    res.setHeader('Access-Control-Allow-Origin', '*')
    if (req.method === 'OPTIONS') res.writeHead(204, { 'Access-Control-Allow-Headers': '*' }).end()
    else {
      res.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'public, max-age=300' }).end(document)
    }
    return true
  }

  close(): void {
    this.#authenticator.close()
  }
}

/** Calls `end` when the token that opened a stream expires, unless the stream has ended before. */
export function endWithToken(principal: Principal, res: ServerResponse, end: () => void): void {
  if (principal.kind === 'anonymous' || principal.expiresAt === undefined) return
  const timer = setTimeout(end, Math.min(Math.max(principal.expiresAt - Date.now(), 0), LONGEST_MS)).unref()
  res.once('close', () => clearTimeout(timer))
}
