import { GatewayError } from '../../model/errors.ts'

/** `detail` is for the log. */
export function unreachable(detail: string): GatewayError<'ISSUER_UNREACHABLE'> {
  return new GatewayError('ISSUER_UNREACHABLE', 'tokens cannot be checked now: their issuer does not answer', {
    detail,
  })
}
