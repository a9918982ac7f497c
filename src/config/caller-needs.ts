import { type CredentialSpec, signInOf } from '../model/credential.ts'
import type { Issuer } from '../model/issuer.ts'
import type { IncomingAuth } from '../model/settings.ts'
import type { Problem } from './expand.ts'
import type { StrategyType } from './schema/auth.ts'

/** Who connects, and where: what strategies that show each caller's own depend on. */
export interface Callers {
  incomingAuth: Pick<IncomingAuth, 'type' | 'issuers'>
  publicUrl?: string | undefined
  /** The file says it with faults: what strategies lack is not known. */
  unclear?: boolean
}

/** Strategies that show each caller's own, which no shared connection can: always, or where the gateway knows its users. */
const PER_CALLER: Readonly<Partial<Record<StrategyType, 'always' | 'with-users'>>> = {
  token_exchange: 'always',
  xaa: 'always',
  authorization_code: 'with-users',
}

/** Whether callers differ in what they show. Without `oidc` there is one user, who signs in for all. */
export function isPerCaller(type: StrategyType, hasUsers: boolean): boolean {
  return PER_CALLER[type] === 'always' || (PER_CALLER[type] === 'with-users' && hasUsers)
}

/** What a strategy lacks in the way callers prove who they are. */
export function callerNeeds(
  { incomingAuth, publicUrl, unclear = false }: Callers,
  type: StrategyType,
  credential: CredentialSpec | undefined,
): Problem | undefined {
  if (unclear) return undefined
  const hasUsers = incomingAuth.type === 'oidc'
  if (PER_CALLER[type] === 'always' && !hasUsers) {
    return {
      message: `${type} needs incomingAuth of type oidc: otherwise callers show no token to exchange`,
      hint: 'set incomingAuth.type: oidc, or use client_credentials or authorization_code',
    }
  }
  const signsIn = credential !== undefined && signInOf(credential) !== undefined
  return hasUsers && signsIn ? connectPageNeeds(type, incomingAuth.issuers, publicUrl) : undefined
}

/** The connect page finds out whose browser it sees by a login at the caller's issuer. */
function connectPageNeeds(type: StrategyType, issuers: readonly Issuer[], publicUrl?: string): Problem | undefined {
  if (publicUrl === undefined) {
    return { message: `${type} needs publicUrl: users are sent there to sign in`, hint: 'set publicUrl' }
  }
  const strange = issuers.find(({ clientId }) => clientId === undefined)
  return (
    strange && {
      message: `${type} needs a clientId at ${strange.name}: users sign in there before they connect the backend`,
      hint: 'register the gateway there and set incomingAuth.oidc.clientId',
    }
  )
}
