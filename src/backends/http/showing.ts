import type { Credential } from '../../model/credential.ts'
import type { Principal } from '../../model/principal.ts'

/** A backend that refuses whatever it is shown is believed after this many times. */
const MAX_TURNS = 3

/** How a backend has refused what it was shown. */
export interface Refused {
  status: 401 | 403
  challenge: string | undefined
}

export function isRefusal(status: number): status is Refused['status'] {
  return status === 401 || status === 403
}

/** A message of one principal: `send` is called with what is shown, `refusalOf` finds the refusal in an answer. */
interface Shown<Answer> {
  credential: Credential
  principal: Principal
  send: (shown: readonly string[]) => Promise<Answer>
  refusalOf: (answer: Answer) => Refused | undefined
}

/**
 * Sends with what this principal has to show, and again when the backend refuses that and there is something else to
 * show. Throws what `Credential.headers` and `Credential.refused` throw, at once what the former throws at once.
 */
export function showing<Answer>(message: Shown<Answer>, turn = 1): Promise<Answer> {
  const known = message.credential.headers(message.principal)
  if (known instanceof Promise) return known.then((shown) => sendWith(shown, message, turn))
  return sendWith(known, message, turn)
}

/** No frame of its own: every call passes here, and is hardly ever refused. */
function sendWith<Answer>(shown: readonly string[], message: Shown<Answer>, turn: number): Promise<Answer> {
  return message.send(shown).then((answer) => {
    const refused = turn === MAX_TURNS ? undefined : message.refusalOf(answer)
    return refused ? sendAgain(shown, message, turn, answer, refused) : answer
  })
}

async function sendAgain<Answer>(
  shown: readonly string[],
  message: Shown<Answer>,
  turn: number,
  answer: Answer,
  { status, challenge }: Refused,
): Promise<Answer> {
  const { credential, principal } = message
  const isWorthIt = await credential.refused(principal, { status, challenge, shown })
  return isWorthIt ? showing(message, turn + 1) : answer
}
