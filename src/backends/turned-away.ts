import { GatewayError } from '../model/errors.ts'
import { HttpRefusal } from './http/refusal.ts'

/** Whether a server is there and does not let this caller in: no outage, and no other caller's business. */
export function isTurnedAway(error: unknown): error is GatewayError {
  if (error instanceof HttpRefusal) return error.status === 401 || error.status === 403
  return error instanceof GatewayError && error.code === 'CONSENT_NEEDED'
}
