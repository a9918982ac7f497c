import { randomBytes } from 'node:crypto'
import type { Era } from '../../../model/backend.ts'
import type { ErrorCode } from '../../../model/errors.ts'
import { GatewayError, JSONRPC } from '../../../model/errors.ts'
import type { JsonObject } from '../../../model/json.ts'
import { isObject } from '../../../model/json.ts'
import type { WireError } from '../../../protocol/jsonrpc.ts'
import type { Telemetry } from '../../../telemetry/events.ts'

/** A failure as a client reads it. */
export type Rendered =
  | { kind: 'error'; http: number; error: WireError }
  /** `tools/call` failed behind the gateway: a result that the model can read and act on. */
  | { kind: 'result'; result: JsonObject }

/** Failures behind the gateway that a tool caller gets as a tool result (contract 4). */
const AS_TOOL_RESULT: ReadonlySet<ErrorCode> = new Set([
  'BACKEND_UNREACHABLE',
  'BACKEND_PROTOCOL',
  'BACKEND_BUSY',
  'DEADLINE_EXCEEDED',
  'CONSENT_NEEDED',
  'CREDENTIAL_UNAVAILABLE',
] as const)

/** The one place where failures become bytes. What is not a `GatewayError` shows an incident id and nothing else. */
export function renderError(failure: unknown, method: string, era: Era, telemetry: Telemetry): Rendered {
  if (!(failure instanceof GatewayError)) {
    const incident = randomBytes(6).toString('hex')
    telemetry.emit('internal.error', { incident, error: failure })
    return {
      kind: 'error',
      http: 500,
      error: { code: JSONRPC.internalError, message: `Internal error (incident ${incident})` },
    }
  }
  const { code, message, jsonrpc, data } = failure
  if (method === 'tools/call' && code === 'RATE_LIMITED' && era === 'legacy') {
    const structuredContent: JsonObject = { code: jsonrpc, message, ...(data !== undefined && { data }) }
    return { kind: 'result', result: { content: [{ type: 'text', text: message }], structuredContent, isError: true } }
  }
  if (method === 'tools/call' && AS_TOOL_RESULT.has(code) && jsonrpc !== JSONRPC.urlElicitationRequired) {
    const result: JsonObject = { content: [{ type: 'text', text: message }], isError: true }
    return { kind: 'result', result: era === 'modern' ? { resultType: 'complete', ...result } : result }
  }
  const number = isMissingResource(failure, method) ? MISSING_RESOURCE[era] : jsonrpc
  const error: WireError = data === undefined ? { code: number, message } : { code: number, message, data }
  return { kind: 'error', http: statusOf(failure, era), error }
}

const MISSING_RESOURCE: Readonly<Record<Era, number>> = {
  legacy: JSONRPC.resourceNotFoundLegacy,
  modern: JSONRPC.invalidParams,
}

/** As a backend of either era says it; modern ones have no code for it, but name the URI. */
function isMissingResource({ jsonrpc, data }: GatewayError, method: string): boolean {
  if (jsonrpc === JSONRPC.resourceNotFoundLegacy) return true
  return (
    method === 'resources/read' &&
    jsonrpc === JSONRPC.invalidParams &&
    isObject(data) &&
    typeof data['uri'] === 'string'
  )
}

function statusOf(failure: GatewayError, era: Era): number {
  // The modern specification ties this status to the code itself, whoever found it out.
  if (era === 'modern' && failure.jsonrpc === JSONRPC.missingClientCapability) return 400
  if (era === 'legacy' && failure.code === 'METHOD_UNKNOWN') return 200
  return failure.row.http
}
