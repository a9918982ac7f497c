import { hash } from 'node:crypto'
import { GatewayError } from '../../model/errors.ts'
import type { Issuer } from '../../model/issuer.ts'
import type { Identified } from '../../model/principal.ts'
import type { AccessParts } from '../issuer/access.ts'
import { readJwt, type UncheckedJwt } from '../issuer/jwt.ts'
import { bearerToken, checkSyntax } from './bearer.ts'
import { type ChallengeSource, insufficientScope, invalidToken, noToken, Unproven } from './refusals.ts'
import { createTokenCache, type Verified } from './token-cache.ts'
import { trust } from './trusted.ts'
import { verifyJwt, verifyOpaque } from './verify.ts'

/** Access tokens of one or several issuers. */
export interface TokenDoor {
  /** At once for a token that was verified before. Throws, or rejects with, the refusal. */
  readonly authenticate: (authorization: string | undefined) => Identified | Promise<Identified>
  readonly forget: () => void
}

/** `general`: the challenge when it is not known whose token is meant. */
export function createTokenDoor(issuers: readonly Issuer[], general: ChallengeSource, parts: AccessParts): TokenDoor {
  const { now } = parts
  const trusted = new Map(
    issuers.map((issuer) => {
      const scopes = issuer.requiredScopes.length > 0 ? issuer.requiredScopes : general.scopes
      return [issuer.name, trust(issuer, { ...general, scopes }, issuers.length === 1, parts)] as const
    }),
  )
  const introspecting = [...trusted.values()].find(({ introspect }) => introspect !== undefined)
  const cache = createTokenCache()
  const underWay = new Map<string, Promise<Verified>>()

  async function verify(token: string, wasGood: boolean): Promise<Verified> {
    let challenge = general
    try {
      checkSyntax(token)
      const jwt = readJwt(token)
      const issuer = jwt ? trusted.get(issuerOf(jwt)) : introspecting
      if (!issuer) throw new Unproven(jwt ? 'untrusted' : 'opaque')
      challenge = issuer.challenge
      const others = issuers.filter(({ name }) => name !== issuer.issuer.name).map(({ subjectPrefix }) => subjectPrefix)
      const checked = jwt
        ? await verifyJwt(jwt, issuer, others, now)
        : await verifyOpaque(token, wasGood, issuer, others, now)
      return { ...checked, issuer }
    } catch (error) {
      if (error instanceof Unproven) throw invalidToken(error.reason, challenge)
      if (error instanceof GatewayError) throw error
      // Whatever fails in a way that nobody foresaw proves nothing.
      throw invalidToken('claims', challenge)
    }
  }

  function admit({ principal, issuer, sufficient }: Verified): Identified {
    if (!sufficient) throw insufficientScope(issuer.challenge)
    return principal
  }

  /** Many calls may come at once with a token that is new. */
  function verifyOnce(token: string, digest: string): Promise<Verified> {
    let verification = underWay.get(digest)
    if (!verification) {
      verification = verify(token, cache.wasGood(digest))
        .then((verified) => {
          cache.set(digest, verified)
          return verified
        })
        .finally(() => underWay.delete(digest))
      underWay.set(digest, verification)
    }
    return verification
  }

  return {
    authenticate(authorization) {
      const token = bearerToken(authorization)
      if (token === undefined) throw noToken(general)
      const digest = hash('sha256', token, 'base64')
      const known = cache.get(digest, now())
      if (known) {
        if (known.key) known.issuer.keySource.touch()
        return admit(known)
      }
      return verifyOnce(token, digest).then(admit)
    },
    forget: () => cache.clear(),
  }
}

/** As the token claims; nothing is proved yet. */
function issuerOf({ claims: { iss } }: UncheckedJwt): string {
  return typeof iss === 'string' ? iss : ''
}
