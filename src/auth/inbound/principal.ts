import type { JsonObject, JsonValue } from '../../model/json.ts'
import type { Identified } from '../../model/principal.ts'
import { identityKey } from '../../model/principal.ts'
import { Secret } from '../../model/secret.ts'
import type { CheckedClaims } from './claims.ts'

/** Whom a token that was found good stands for. */
export function identified(
  issuer: { readonly name: string; readonly subjectPrefix: string },
  { subject, client, scopes, expiresAt }: CheckedClaims,
  claims: JsonObject,
  token: string,
): Identified {
  return Object.freeze<Identified>({
    kind: 'identified',
    key: identityKey(issuer.name, subject, client),
    id: `${issuer.subjectPrefix}${subject}`,
    issuer: issuer.name,
    subject,
    client,
    scopes: Object.freeze(scopes),
    claims: frozen(claims),
    expiresAt,
    proof: new Secret(token),
  })
}

function frozen<T extends JsonValue | undefined>(value: T): T {
  if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) frozen(inner)
  return Object.freeze(value)
}
