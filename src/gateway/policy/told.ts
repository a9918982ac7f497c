import type { PolicyRequest } from '../../auth/policy/request.ts'
import { actionOf } from '../../auth/policy/request.ts'
import type { Principal } from '../../model/principal.ts'
import { principalKey } from '../../model/principal.ts'
import { clip } from '../../protocol/clip.ts'

/** A principal as the log names it. */
export const nameOf = (principal: Principal): string =>
  clip(principal.kind === 'anonymous' ? principalKey(principal) : principal.id)

/** Who asked for what, as the log says it. */
export const told = ({ principal, target }: PolicyRequest): { principal: string; what: string } => ({
  principal: nameOf(principal),
  what: `${actionOf(target)} ${clip(target.name)}`,
})
