import type { Reply } from '../backends/leg.ts'
import type { Caller, Outcome } from '../model/call.ts'
import { GatewayError } from '../model/errors.ts'
import type { BackendId } from '../model/ids.ts'
import { clip } from '../protocol/clip.ts'

/**
 * A backend's answer: what it has to say, or what it needs to know first. Throws `BACKEND_PROTOCOL` for a type of result
 * that the client cannot know (2026-07-28, "Results": extensions may add types).
 */
export function outcomeOf(
  reply: Reply,
  { era, profile }: Pick<Caller, 'era' | 'profile'>,
  backend: BackendId,
): Outcome {
  if (reply.kind !== 'result' || reply.era !== 'modern') return reply
  const { resultType } = reply.value
  if (resultType === undefined || resultType === 'complete') return reply
  if (resultType === 'input_required') return { kind: 'needs-input', value: reply.value }
  // A type does not say whose it is: any extension that the client declared may be its owner.
  if (era === 'modern' && profile.modern['extensions'] !== undefined) return reply
  const type = clip(JSON.stringify(resultType))
  throw new GatewayError(
    'BACKEND_PROTOCOL',
    `backend "${backend}" answered with a result of the type ${type}, which the client has not said that it knows`,
  )
}

/** What a call comes to whose tool was only the way to a sign-in. */
export function afterSignIn(): Outcome {
  const text = 'The user has signed in. The list of tools has changed: look at it again.'
  return { kind: 'result', value: { content: [{ type: 'text', text }] }, era: 'legacy' }
}
