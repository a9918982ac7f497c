import type { JsonValue } from './json.ts'

/** JSON-RPC 2.0 and MCP error codes (basic/index, "Error codes"). */
export const JSONRPC = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internalError: -32603,
  resourceNotFoundLegacy: -32002,
  /** 2025-11-25 only. */
  urlElicitationRequired: -32042,
  headerMismatch: -32020,
  missingClientCapability: -32021,
  unsupportedProtocolVersion: -32022,
} as const

interface Row {
  /** HTTP status at a streamable HTTP door. */
  http: number
  jsonrpc: number
  fault: 'client' | 'backend' | 'operator' | 'gateway'
  retryable: boolean
}

/** Every failure that has a name. `http` counts in both eras, but legacy clients get 200 with an unknown method. */
const ERRORS = {
  PARSE_ERROR: { http: 400, jsonrpc: JSONRPC.parseError, fault: 'client', retryable: false },
  REQUEST_MALFORMED: { http: 400, jsonrpc: JSONRPC.invalidRequest, fault: 'client', retryable: false },
  ENVELOPE_INVALID: { http: 400, jsonrpc: JSONRPC.invalidParams, fault: 'client', retryable: false },
  HEADER_MISMATCH: { http: 400, jsonrpc: JSONRPC.headerMismatch, fault: 'client', retryable: false },
  VERSION_UNSUPPORTED: { http: 400, jsonrpc: JSONRPC.unsupportedProtocolVersion, fault: 'client', retryable: false },
  METHOD_UNKNOWN: { http: 404, jsonrpc: JSONRPC.methodNotFound, fault: 'client', retryable: false },
  PARAMS_INVALID: { http: 200, jsonrpc: JSONRPC.invalidParams, fault: 'client', retryable: false },
  /** Unknown or hidden: one answer for both, so that nobody can probe for what they may not see. */
  NOT_AVAILABLE: { http: 200, jsonrpc: JSONRPC.invalidParams, fault: 'client', retryable: false },
  /** No token, or one that proves nothing. `challenge` says where to get one (RFC 6750, RFC 9728). */
  UNAUTHENTICATED: { http: 401, jsonrpc: JSONRPC.invalidRequest, fault: 'client', retryable: false },
  /** A token that is good, and lacks a scope. */
  SCOPE_MISSING: { http: 403, jsonrpc: JSONRPC.invalidRequest, fault: 'client', retryable: false },
  /** The policy lets the caller see the entry, and not use it in this way. */
  POLICY_DENIED: { http: 403, jsonrpc: 403, fault: 'client', retryable: false },
  /** One user has too much open at once. */
  TOO_MANY_OPEN: { http: 429, jsonrpc: 429, fault: 'client', retryable: true },
  RATE_LIMITED: { http: 200, jsonrpc: 429, fault: 'client', retryable: true },
  /** What tokens are checked with cannot be had: the issuer does not answer. */
  ISSUER_UNREACHABLE: { http: 503, jsonrpc: JSONRPC.internalError, fault: 'operator', retryable: true },
  SESSION_MISSING: { http: 400, jsonrpc: JSONRPC.invalidRequest, fault: 'client', retryable: false },
  SESSION_UNKNOWN: { http: 404, jsonrpc: -32001, fault: 'client', retryable: false },
  SESSIONS_EXHAUSTED: { http: 503, jsonrpc: JSONRPC.internalError, fault: 'gateway', retryable: true },
  FORBIDDEN_ORIGIN: { http: 403, jsonrpc: JSONRPC.invalidRequest, fault: 'client', retryable: false },
  NOT_ACCEPTABLE: { http: 406, jsonrpc: JSONRPC.invalidRequest, fault: 'client', retryable: false },
  MEDIA_TYPE: { http: 415, jsonrpc: JSONRPC.invalidRequest, fault: 'client', retryable: false },
  METHOD_NOT_ALLOWED: { http: 405, jsonrpc: JSONRPC.invalidRequest, fault: 'client', retryable: false },
  PATH_UNKNOWN: { http: 404, jsonrpc: JSONRPC.invalidRequest, fault: 'client', retryable: false },
  BODY_TOO_LARGE: { http: 413, jsonrpc: JSONRPC.invalidRequest, fault: 'client', retryable: false },
  HEADERS_TOO_LARGE: { http: 431, jsonrpc: JSONRPC.invalidRequest, fault: 'client', retryable: false },
  /** A JSON-RPC error that the backend itself answered; it travels as received. */
  BACKEND_ERROR: { http: 200, jsonrpc: JSONRPC.internalError, fault: 'backend', retryable: false },
  /** A JSON-RPC error that the client answered to a backend's question; the backend gets it as received. */
  CLIENT_ERROR: { http: 200, jsonrpc: JSONRPC.internalError, fault: 'client', retryable: false },
  BACKEND_UNREACHABLE: { http: 200, jsonrpc: JSONRPC.internalError, fault: 'backend', retryable: true },
  BACKEND_PROTOCOL: { http: 200, jsonrpc: JSONRPC.internalError, fault: 'backend', retryable: false },
  BACKEND_BUSY: { http: 200, jsonrpc: JSONRPC.internalError, fault: 'backend', retryable: true },
  /** Only the user can help: with a sign-in at the backend's authorization server. */
  CONSENT_NEEDED: { http: 200, jsonrpc: JSONRPC.internalError, fault: 'client', retryable: true },
  /** What a backend is to be shown cannot be had. */
  CREDENTIAL_UNAVAILABLE: { http: 200, jsonrpc: JSONRPC.internalError, fault: 'operator', retryable: true },
  DEADLINE_EXCEEDED: { http: 200, jsonrpc: JSONRPC.internalError, fault: 'backend', retryable: true },
  /** Runs of workflows cannot be kept: the store does not work. */
  STORE_UNAVAILABLE: { http: 200, jsonrpc: JSONRPC.internalError, fault: 'operator', retryable: true },
  CANCELLED: { http: 200, jsonrpc: JSONRPC.internalError, fault: 'client', retryable: false },
  SHUTTING_DOWN: { http: 503, jsonrpc: JSONRPC.internalError, fault: 'gateway', retryable: true },
  INTERNAL: { http: 500, jsonrpc: JSONRPC.internalError, fault: 'gateway', retryable: false },
} as const satisfies Record<string, Row>

export type ErrorCode = keyof typeof ERRORS

export interface ErrorData {
  /** `error.data` on the wire. */
  data?: JsonValue
  /** For the log only, never for a client. */
  detail?: string
  /** A code of the backend's own (`BACKEND_ERROR`), or one that only some revisions use. */
  jsonrpc?: number
  cause?: unknown
  /** `WWW-Authenticate` of the HTTP answer. */
  challenge?: string
  /** The request has not left for its backend, so it has done nothing there. */
  unsent?: boolean
}

/** The one failure that crosses rooms. `message` is what the client may read. */
export class GatewayError<Code extends ErrorCode = ErrorCode> extends Error {
  readonly code: Code
  readonly jsonrpc: number
  readonly data: JsonValue | undefined
  /** For the log only, never for a client. */
  readonly detail: string | undefined
  /** `WWW-Authenticate` of the HTTP answer. */
  readonly challenge: string | undefined
  /** The request has certainly not left for its backend. */
  readonly unsent: boolean

  constructor(code: Code, message: string, extra: ErrorData = {}) {
    super(message, extra.cause === undefined ? undefined : { cause: extra.cause })
    this.name = 'GatewayError'
    this.code = code
    this.jsonrpc = extra.jsonrpc ?? ERRORS[code].jsonrpc
    this.data = extra.data
    this.detail = extra.detail
    this.challenge = extra.challenge
    this.unsent = extra.unsent ?? false
  }

  get row(): Row {
    return ERRORS[this.code]
  }
}
