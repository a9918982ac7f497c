import { isTokenText } from '../../model/token-text.ts'
import { Unproven } from './refusals.ts'

/** Longer tokens are refused unseen. A head of Node's HTTP server holds 16 KiB by default. */
const MAX_TOKEN_LENGTH = 16_384

/** The token of an `Authorization` header; `undefined`: there is none, or it is of another scheme. */
export function bearerToken(authorization: string | undefined): string | undefined {
  if (authorization === undefined || authorization.slice(0, 7).toLowerCase() !== 'bearer ') return undefined
  return authorization.slice(7).trimStart()
}

/** Throws `Unproven` when a token is too long, or written with other characters than a token may have. */
export function checkSyntax(token: string): void {
  if (token.length > MAX_TOKEN_LENGTH) throw new Unproven('oversized')
  if (!isTokenText(token)) throw new Unproven('malformed')
}
