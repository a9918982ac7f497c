import type { Credential } from '../../model/credential.ts'
import type { Principal } from '../../model/principal.ts'

/** A backend that refuses whatever it is shown is believed after this many times. */
const MAX_TURNS = 3

/**
 * Sends with what this principal has to show, and again when the backend refuses that and there is something else to
 * show; `refusalOf` finds the refusal in an answer. Throws what `Credential.headers` and `Credential.refused` throw.
 */
export async function showing<Answer>(
  credential: Credential,
  principal: Principal,
  send: (shown: readonly string[]) => Promise<Answer>,
  refusalOf: (answer: Answer) => { status: number; challenge: string | undefined } | undefined,
): Promise<Answer> {
  for (let turn = 1; ; turn++) {
    const known = credential.headers(principal)
    const shown = known instanceof Promise ? await known : known
    const answer = await send(shown)
    const { status, challenge } = refusalOf(answer) ?? {}
    if ((status !== 401 && status !== 403) || turn === MAX_TURNS) return answer
    if (!(await credential.refused(principal, { status, challenge, shown }))) return answer
  }
}
