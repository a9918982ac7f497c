import type { Era, HttpEndpoint } from '../../model/backend.ts'
import type { Cancellation } from '../../model/cancellation.ts'
import type { Credential } from '../../model/credential.ts'
import { GatewayError, JSONRPC } from '../../model/errors.ts'
import type { Connector, Leg, LegContext } from '../leg.ts'
import { openSse } from '../sse/connector.ts'
import { isObject } from '../../model/json.ts'
import { SUPPORTED_MODERN } from '../../protocol/revisions.ts'
import { readDiscovered } from '../welcome.ts'
import type { HttpAnswer } from './exchange.ts'
import { LegacyHttpLeg, initialize } from './legacy.ts'
import { ModernHttpLeg, discover } from './modern.ts'
import { HttpRefusal, refusal } from './refusal.ts'
import { HttpWire } from './wire.ts'

/** A modern server refuses the probe itself. (`-32022` may come from one that also speaks older revisions.) */
const MODERN_ONLY_ERRORS: readonly number[] = [JSONRPC.headerMismatch, JSONRPC.missingClientCapability]

/** How long an event stream may take to name its endpoint where it is only a guess that it will. */
const ENDPOINT_PATIENCE_MS = 5000

interface Peer {
  wire: HttpWire
  /** It was last reached over HTTP+SSE. */
  older: boolean
}

/** Streamable HTTP of either era or HTTP+SSE of 2024-11-05, found by probing. */
export function httpConnector(endpoint: HttpEndpoint, credential?: Credential): Connector {
  const peer: Peer = { wire: new HttpWire(endpoint, credential), older: false }
  return {
    open: (era, context, signal) => openHttp(peer, era, context, signal),
    close: () => peer.wire.close(),
  }
}

async function openHttp(peer: Peer, era: Era | 'auto', context: LegContext, signal: Cancellation): Promise<Leg> {
  if (era === 'legacy') return openLegacy(peer, context, signal)
  const verdict = await probe(peer.wire, context, signal)
  if (verdict.era === 'modern') return verdict.leg
  if (era === 'modern') throw verdict.why
  return openLegacy(peer, context, signal)
}

type Verdict = { era: 'modern'; leg: ModernHttpLeg } | { era: 'legacy'; why: Error }

/** 401, 403 and 5xx say nothing about the era and are thrown; silence is an outage, not a legacy server. */
async function probe(wire: HttpWire, context: LegContext, signal: Cancellation): Promise<Verdict> {
  let answer: HttpAnswer
  try {
    answer = await discover(wire, context, signal)
    // It refuses the revision and names the same one: it may be asked once more ("Protocol Version Negotiation").
    if (namesOurRevision(answer)) answer = await discover(wire, context, signal)
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
  if (!says(status) && status !== 200) throw new HttpRefusal(status, wire.address)
  const why = new GatewayError('BACKEND_PROTOCOL', `server/discover was answered with ${code}: ${text}`)
  if (MODERN_ONLY_ERRORS.includes(code)) throw why
  return { era: 'legacy', why }
}

function namesOurRevision(answer: HttpAnswer): boolean {
  if (answer.kind !== 'message' || answer.message.kind !== 'error') return false
  const { code, data } = answer.message.error
  const supported = isObject(data) ? data['supported'] : undefined
  if (code !== JSONRPC.unsupportedProtocolVersion || !Array.isArray(supported)) return false
  return supported.some((revision) => SUPPORTED_MODERN.includes(revision as string))
}

/** Statuses that are evidence of a legacy server. */
function says(status: number): boolean {
  return status >= 400 && status < 500 && status !== 401 && status !== 403 && status !== 429
}

/** Streamable HTTP, or what came before it: a server that refuses `initialize` may have an event stream to offer. */
async function openLegacy(peer: Peer, context: LegContext, signal: Cancellation): Promise<Leg> {
  const { wire } = peer
  if (peer.older) {
    const leg = await tryOlder(wire, context, signal)
    if (leg) return leg
    peer.older = false
  }
  const answer = await initialize(wire, context, signal)
  if (mayBeOlder(answer)) {
    const leg = await tryOlder(wire, context, signal)
    if (leg) {
      peer.older = true
      return leg
    }
  }
  return LegacyHttpLeg.begin(wire, context, answer, signal)
}

/** Statuses with which a server of 2024-11-05 may answer a POST (2025-11-25, transports, "Backwards Compatibility"). */
function mayBeOlder(answer: HttpAnswer): boolean {
  return answer.kind !== 'stream' && (answer.status === 400 || answer.status === 404 || answer.status === 405)
}

/** `undefined`: it is none. Throws the signal's reason. */
async function tryOlder(wire: HttpWire, context: LegContext, signal: Cancellation): Promise<Leg | undefined> {
  try {
    return await openSse(wire, context, signal, ENDPOINT_PATIENCE_MS)
  } catch {
    signal.throwIfCancelled()
    return undefined
  }
}
