import type { JsonObject } from '../../model/json.ts'
import { Unproven } from './refusals.ts'

/** Types that an access token may state (RFC 9068, RFC 8725 section 3.11). */
const TYPES: readonly unknown[] = [undefined, 'jwt', 'at+jwt', 'application/at+jwt']

/** What a header must be before a key is looked for. Keys and addresses inside it (`jwk`, `jku`, `x5u`) mean nothing. */
export function checkHeader(header: JsonObject): void {
  const type = header['typ']
  if (!TYPES.includes(typeof type === 'string' ? type.toLowerCase() : type)) throw new Unproven('type')
  if (header['crit'] !== undefined) throw new Unproven('extension')
}
