import { GatewayError } from '../../../model/errors.ts'
import { FetchRefused } from '../../net/guarded-fetch.ts'

export const unavailable = (message: string, detail?: string): GatewayError =>
  new GatewayError('CREDENTIAL_UNAVAILABLE', message, detail === undefined ? {} : { detail })

/** Failures of exchanges name an origin at most; of others nothing is told. */
export function asUnavailable(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error
  if (error instanceof FetchRefused) return unavailable(error.message)
  return new GatewayError('CREDENTIAL_UNAVAILABLE', 'the authorization server gave an answer that cannot be used', {
    cause: error,
  })
}
