import type { Problem } from './expand.ts'
import { issuersOf } from './look.ts'
import type { AuthoredConfig } from './schema.ts'
import type { AuthoredStrategy, StrategyType } from './schema/auth.ts'

/**
 * Strategies that show each caller's own, which no shared connection can: `exchange` of what the caller has shown, or a
 * `signIn` of the user.
 */
const PER_CALLER: Readonly<Partial<Record<StrategyType, 'exchange' | 'signIn'>>> = {
  token_exchange: 'exchange',
  xaa: 'exchange',
  authorization_code: 'signIn',
}

const isOidc = ({ incomingAuth }: AuthoredConfig): boolean => incomingAuth?.type === 'oidc'

/** Whether callers differ in what they show. Without `oidc` there is one user, who signs in for all. */
export function isPerCaller(config: AuthoredConfig, type: StrategyType): boolean {
  return PER_CALLER[type] === 'exchange' || (PER_CALLER[type] === 'signIn' && isOidc(config))
}

/** What a strategy lacks in the way callers prove who they are. */
export function callerNeeds(config: AuthoredConfig, strategy: AuthoredStrategy): Problem | undefined {
  const { type } = strategy
  if (PER_CALLER[type] === 'exchange' && !isOidc(config)) {
    return {
      message: `${type} needs incomingAuth of type oidc: otherwise callers show no token to exchange`,
      hint: 'set incomingAuth.type: oidc, or use client_credentials or authorization_code',
    }
  }
  return isOidc(config) && signsIn(strategy) ? connectPageNeeds(config, type) : undefined
}

const signsIn = ({ type, xaa }: AuthoredStrategy): boolean =>
  type === 'authorization_code' || (type === 'xaa' && (xaa?.subjectTokenType ?? 'id_token').endsWith('id_token'))

/** The connect page finds out whose browser it sees by a login at the caller's issuer. */
function connectPageNeeds(config: AuthoredConfig, type: StrategyType): Problem | undefined {
  const issuers = issuersOf(config).map(({ issuer }) => issuer)
  if (config.publicUrl === undefined && issuers.every(({ resource }) => resource === undefined)) {
    return { message: `${type} needs publicUrl: users are sent there to sign in`, hint: 'set publicUrl' }
  }
  const strange = issuers.find(({ clientId }) => clientId === undefined)
  return (
    strange && {
      message: `${type} needs a clientId at ${strange.issuer}: users sign in there before they connect the backend`,
      hint: 'register the gateway there and set incomingAuth.oidc.clientId',
    }
  )
}
