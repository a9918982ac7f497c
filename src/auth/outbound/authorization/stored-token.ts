import type { Token } from '../token-answer.ts'
import { GrantRefused } from '../token-endpoint.ts'
import { isScope } from './server/scopes.ts'
import type { StoredClient } from './store/store.ts'
import { unavailable } from './unavailable.ts'

/** A registered client that the server has lost. */
export const isForgotten = (error: unknown, client: StoredClient): boolean =>
  client.origin === 'registered' && error instanceof GrantRefused && error.reason === 'invalid_client'

/** What a token is kept as. Throws `CREDENTIAL_UNAVAILABLE` for scopes that cannot be. */
export function tokenFields(
  { value, refresh, expiresAt, scopes }: Token,
  asked: readonly string[],
  obtainedAt: number,
) {
  if (!scopes.every(isScope)) throw unavailable('the authorization server granted something that is no scope')
  return {
    access: value,
    ...(refresh && { refresh }),
    obtainedAt,
    ...(expiresAt !== undefined && Number.isFinite(expiresAt) && { expiresAt }),
    scopes: scopes.length > 0 ? scopes : asked,
  }
}
