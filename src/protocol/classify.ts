import { GatewayError } from '../model/errors.ts'
import type { JsonObject } from '../model/json.ts'
import { clip } from './clip.ts'
import type { Envelope } from './envelope.ts'
import { META, readEnvelope } from './envelope.ts'
import { LATEST_MODERN, SUPPORTED_MODERN, eraOf } from './revisions.ts'

/** Decided once per message, then never sniffed again. */
export type Inbound = { era: 'legacy' } | { era: 'modern'; envelope: Envelope }

/**
 * The era of a request or notification. The body decides: an envelope in `_meta` makes it modern;
 * `initialize` without one is a legacy handshake; a modern version header without an envelope is a fault.
 * Throws `ENVELOPE_INVALID`, `HEADER_MISMATCH`, `VERSION_UNSUPPORTED`.
 */
export function classifyEra(method: string, params: JsonObject, versionHeader: string | undefined): Inbound {
  const envelope = readEnvelope(params)
  if (typeof envelope === 'string') {
    throw new GatewayError('ENVELOPE_INVALID', `Invalid _meta of a ${LATEST_MODERN} request: ${envelope}`)
  }
  const headerEra = versionHeader === undefined ? undefined : eraOf(versionHeader.trim())
  if (envelope === undefined) {
    if (headerEra !== 'modern') return { era: 'legacy' }
    if (method === 'initialize') {
      throw new GatewayError('HEADER_MISMATCH', `initialize belongs to revisions before ${versionHeader}`)
    }
    const missing = `${META.version}, ${META.capabilities}`
    throw new GatewayError(
      'ENVELOPE_INVALID',
      `Invalid params: MCP-Protocol-Version says ${versionHeader}, but _meta lacks ${missing}`,
    )
  }
  if (versionHeader !== undefined && versionHeader.trim() !== envelope.version) {
    throw new GatewayError(
      'HEADER_MISMATCH',
      `the header MCP-Protocol-Version says ${clip(versionHeader)}, the body ${clip(envelope.version)}`,
    )
  }
  if (!SUPPORTED_MODERN.includes(envelope.version)) {
    throw new GatewayError('VERSION_UNSUPPORTED', `Unsupported protocol version: ${clip(envelope.version)}`, {
      data: { supported: [...SUPPORTED_MODERN], requested: clip(envelope.version) },
    })
  }
  return { era: 'modern', envelope }
}
