import type { Era, HttpEndpoint } from '../../model/backend.ts'
import type { Cancellation } from '../../model/cancellation.ts'
import { GatewayError, JSONRPC } from '../../model/errors.ts'
import type { Connector, Leg, LegContext } from '../leg.ts'
import { readDiscovered } from '../welcome.ts'
import type { Answer } from './exchange.ts'
import { LegacyHttpLeg } from './legacy.ts'
import { ModernHttpLeg, discover } from './modern.ts'
import { HttpRefusal, refusal } from './refusal.ts'
import { HttpWire } from './wire.ts'

/** A modern server refuses the probe itself. (`-32022` may come from one that also speaks older revisions.) */
const MODERN_ONLY_ERRORS: readonly number[] = [JSONRPC.headerMismatch, JSONRPC.missingClientCapability]

/** Streamable HTTP of either era, found by probing. */
export function httpConnector(endpoint: HttpEndpoint): Connector {
  const wire = new HttpWire(endpoint)
  return {
    open: (era, context, signal) => openHttp(wire, era, context, signal),
    close: () => wire.close(),
  }
}

async function openHttp(wire: HttpWire, era: Era | 'auto', context: LegContext, signal: Cancellation): Promise<Leg> {
  if (era === 'legacy') return openLegacy(wire, context, signal)
  const verdict = await probe(wire, context, signal)
  if (verdict.era === 'modern') return verdict.leg
  if (era === 'modern') throw verdict.why
  return openLegacy(wire, context, signal)
}

type Verdict = { era: 'modern'; leg: ModernHttpLeg } | { era: 'legacy'; why: Error }

/** 401, 403 and 5xx say nothing about the era and are thrown; silence is an outage, not a legacy server. */
async function probe(wire: HttpWire, context: LegContext, signal: Cancellation): Promise<Verdict> {
  let answer: Answer
  try {
    answer = await discover(wire, context, signal)
  } catch (error) {
    // A 2xx that is no JSON-RPC response: a server that does not know the method and says so in its own way.
    if (error instanceof GatewayError && error.code === 'BACKEND_PROTOCOL') return { era: 'legacy', why: error }
    throw error
  }
  if (answer.kind !== 'message') {
    const why = refusal(answer, wire.address)
    if (answer.kind === 'refused' && says(answer.status)) return { era: 'legacy', why }
    throw why
  }
  const { message, status } = answer
  if (message.kind === 'response') {
    const welcome = readDiscovered(message.result)
    if (welcome) return { era: 'modern', leg: new ModernHttpLeg(wire, context, welcome) }
    return { era: 'legacy', why: new GatewayError('BACKEND_PROTOCOL', 'the backend speaks no modern revision of ours') }
  }
  const { code, message: text } = message.error
  if (!says(status) && status !== 200) throw new HttpRefusal(status, wire.address, undefined)
  const why = new GatewayError('BACKEND_PROTOCOL', `server/discover was answered with ${code}: ${text}`)
  if (MODERN_ONLY_ERRORS.includes(code)) throw why
  return { era: 'legacy', why }
}

/** Statuses that are evidence of a legacy server. */
function says(status: number): boolean {
  return status >= 400 && status < 500 && status !== 401 && status !== 403 && status !== 429
}

async function openLegacy(wire: HttpWire, context: LegContext, signal: Cancellation): Promise<Leg> {
  try {
    return await LegacyHttpLeg.open(wire, context, signal)
  } catch (error) {
    if (error instanceof HttpRefusal && (error.status === 404 || error.status === 405)) {
      throw new GatewayError(
        'BACKEND_UNREACHABLE',
        `${error.message}; if this is an HTTP+SSE server of 2024-11-05, this version of the gateway cannot reach it`,
        { cause: error },
      )
    }
    throw error
  }
}
