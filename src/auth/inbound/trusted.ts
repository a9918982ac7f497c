import type { Issuer } from '../../model/issuer.ts'
import { type AccessParts, issuerAccess } from '../issuer/access.ts'
import type { KeySource } from '../issuer/key-source.ts'
import { createIntrospection, type Introspect } from './introspection.ts'
import type { ChallengeSource } from './refusals.ts'

/** An issuer whose tokens are accepted, and the ways to check them. */
export interface Trusted {
  readonly issuer: Issuer
  readonly keySource: KeySource
  /** Absent: this issuer is not asked about opaque tokens. */
  readonly introspect: Introspect | undefined
  /** For answers to tokens of this issuer. */
  readonly challenge: ChallengeSource
}

/** `alone`: it is the only issuer. */
export function trust(issuer: Issuer, challenge: ChallengeSource, alone: boolean, parts: AccessParts): Trusted {
  const access = issuerAccess(issuer, parts)
  const { keySource } = access
  return { issuer, keySource, introspect: createIntrospection(access, alone, parts.now), challenge }
}
