import { GatewayError } from '../../model/errors.ts'
import type { HttpAnswer } from './exchange.ts'

/** An HTTP answer that is no answer to the request. `status` tells authentication problems from outages. */
export class HttpRefusal extends GatewayError<'BACKEND_UNREACHABLE'> {
  readonly status: number
  /** `WWW-Authenticate` of the backend, which is nothing for clients. */
  readonly upstreamChallenge: string | undefined

  constructor(status: number, address: string, headers: Headers = {}) {
    const { location } = headers
    super('BACKEND_UNREACHABLE', describe(status, address, typeof location === 'string' ? location : undefined))
    this.status = status
    this.upstreamChallenge = challengeIn(headers)
  }
}

type Headers = Readonly<Record<string, string | string[] | undefined>>

/** `WWW-Authenticate`, all of it. */
export function challengeIn(headers: Headers): string | undefined {
  const header = headers['www-authenticate']
  return Array.isArray(header) ? header.join(', ') : header
}

const CREDENTIALS = '(keys: headers of this backend, outgoingAuth)'

function describe(status: number, address: string, location: string | undefined): string {
  if (status === 401) return `HTTP 401 at ${address}: the backend wants credentials ${CREDENTIALS}`
  if (status === 403) return `HTTP 403 at ${address}: the backend refuses our credentials ${CREDENTIALS}`
  if (status >= 300 && status < 400)
    return `HTTP ${status} at ${address}: redirects are not followed${target(location, address)}`
  if (status === 404) return `HTTP 404 at ${address}: there is no MCP endpoint at this path`
  return `HTTP ${status} at ${address}${status >= 500 ? ' (the log of the server may tell why)' : ''}`
}

/** Only the origin of the target: its path may carry the same key as ours. */
function target(location: string | undefined, address: string): string {
  const origin = location === undefined ? undefined : URL.parse(location, address)?.origin
  if (origin === undefined || origin === 'null') return ''
  return origin === address
    ? '; it points to another path of the same server (is a slash missing or too many at the end of the url?)'
    : `; it points to ${origin}`
}

/**
 * Whether an answer turns the caller away, whatever it says besides. A 403 that asks for nothing is a backend's own word
 * about the request.
 */
export function turnsAway(answer: HttpAnswer): boolean {
  if (answer.kind === 'stream') return false
  return answer.status === 401 || (answer.status === 403 && challengeIn(answer.headers) !== undefined)
}

/** The error for an answer that is no JSON-RPC response, or turns the caller away. */
export function refusal(answer: HttpAnswer, address: string): Error {
  if (answer.kind === 'accepted' || answer.kind === 'stream') {
    return new GatewayError('BACKEND_PROTOCOL', `the backend at ${address} accepted a request without answering it`)
  }
  return new HttpRefusal(answer.status, address, answer.headers)
}

/** 404 is the rule; SDK examples answer 400 with a sentence about the session. */
export function forgotSession(answer: HttpAnswer): boolean {
  if (answer.kind === 'stream' || answer.kind === 'accepted') return false
  if (answer.status === 404) return true
  if (answer.status !== 400) return false
  const text =
    answer.kind === 'refused' ? answer.text : answer.message.kind === 'error' ? answer.message.error.message : ''
  return /session|not initialized/i.test(text)
}
