import type { Call, Context, Core, Layer, Outcome } from '../../model/call.ts'
import { Cancellation } from '../../model/cancellation.ts'
import { ConsentNeeded } from '../../model/credential.ts'
import { GatewayError, JSONRPC } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import { pause } from '../../model/pause.ts'
import type { Sealer } from '../../protocol/sealed.ts'
import { afterSignIn } from '../outcome.ts'
import { needsInput } from '../questions/needs-input.ts'
import { type Again, openState, sealState } from '../questions/request-state.ts'
import { accepted, asLinks, linkQuestions, takesLinks } from '../questions/url-required.ts'

/** How long a call waits for a user who has agreed to sign in. */
const SIGN_IN_MS = 5 * 60_000

/**
 * Sends users to the links that stand between them and what they want: the sign-in for a backend, or what a backend
 * itself asks for (`-32042`). A modern client is asked by the answer to its request, which it then repeats; a legacy one
 * with a request of ours, while its own waits (2025-11-25, client/elicitation, "URL Mode").
 */
export function consentLayer(sealer: () => Sealer): Layer {
  return (inner) => ({
    ...inner,
    async invoke(received, context) {
      const repetition = repetitionOf(sealer, received, context)
      const call = repetition ? withoutAnswers(received) : received
      try {
        return await inner.invoke(call, context)
      } catch (error) {
        return recover(error, { inner, sealer: sealer(), call, context, repetition })
      }
    },
  })
}

/** What a call has met that may need its user. */
interface Failed {
  inner: Core
  sealer: Sealer
  call: Call
  context: Context
  /** The user was sent somewhere before, and has agreed. */
  repetition: Again | undefined
}

async function recover(error: unknown, failed: Failed): Promise<Outcome> {
  const { call, context, repetition } = failed
  if (error instanceof ConsentNeeded) {
    if (!takesLinks(context.profile)) throw readable(error)
    // A step of a workflow is asked in the middle, whatever its caller is.
    if (context.era === 'legacy' || context.ask) await askLegacy(error, context)
    // Another sign-in than the one that was agreed to is one that nobody has heard of.
    else if (repetition?.consent === error.id) await signedIn(error, context)
    else return questions(linkQuestions([{ message: error.message, url: error.url }]), error.id, failed)
    return secondTry(failed)
  }
  if (repetition?.consent !== undefined && isGone(call, error)) return afterSignIn()
  const links = comesBack(context) ? asLinks(error, context.profile) : undefined
  if (links) return questions(links, undefined, failed)
  throw error
}

async function secondTry({ inner, call, context }: Failed): Promise<Outcome> {
  try {
    return await inner.invoke(call, context)
  } catch (error) {
    if (isGone(call, error)) return afterSignIn()
    throw error instanceof ConsentNeeded ? readable(error) : error
  }
}

function questions(links: JsonObject, consent: string | undefined, { sealer, call, context }: Failed): Outcome {
  return needsInput(
    links,
    sealState(sealer, { kind: 'again', ...(consent !== undefined && { consent }) }, call, context),
  )
}

/** What was called to sign in is not there any more when that is done. */
function isGone({ kind }: Call, error: unknown): boolean {
  return kind === 'tool' && error instanceof GatewayError && error.code === 'NOT_AVAILABLE'
}

/** Where the answer to this call has sent the user, who has agreed; throws `CLIENT_ERROR` when he has not. */
function repetitionOf(sealer: () => Sealer, call: Call, context: Context): Again | undefined {
  const { requestState, inputResponses } = call.params
  if (!comesBack(context) || requestState === undefined) return undefined
  const state = openState(sealer(), call, context)
  if (state?.kind !== 'again') return undefined
  if (accepted(inputResponses)) return state
  throw new GatewayError('CLIENT_ERROR', 'the user has not agreed to what the backend needs')
}

/** A modern client, or a step of a workflow: it makes the call once more, with answers. */
const comesBack = ({ era, step }: Context): boolean => era === 'modern' || step !== undefined

function withoutAnswers(call: Call): Call {
  const { requestState: _state, inputResponses: _answers, ...params } = call.params
  return { ...call, params }
}

async function askLegacy(error: ConsentNeeded, context: Context): Promise<void> {
  const { message, url, id: elicitationId } = error
  if (!context.ask) {
    const elicitations = [{ mode: 'url', elicitationId, url, message }]
    throw new GatewayError('CONSENT_NEEDED', message, {
      jsonrpc: JSONRPC.urlElicitationRequired,
      data: { elicitations },
    })
  }
  const release = context.deadline?.hold()
  try {
    const params = { mode: 'url', message, url, elicitationId }
    const answer = await context.ask({ method: 'elicitation/create', params }, context.signal)
    if (answer['action'] !== 'accept') throw new GatewayError('CONSENT_NEEDED', `${message}; the user has declined`)
  } finally {
    release?.()
  }
  await signedIn(error, context)
  context.emit?.({ method: 'notifications/elicitation/complete', params: { elicitationId } })
}

/** Waits until the user is back from the page. Throws the signal's reason. */
async function signedIn({ settled }: ConsentNeeded, { deadline, signal }: Context): Promise<void> {
  const release = deadline?.hold()
  const waiting = new Cancellation()
  const stop = (reason: Error): void => waiting.cancel(reason)
  signal.onCancel(stop)
  try {
    await Promise.race([settled, pause(SIGN_IN_MS, waiting)])
    signal.throwIfCancelled()
  } finally {
    signal.offCancel(stop)
    waiting.cancel(new GatewayError('CANCELLED', 'nobody waits any more'))
    release?.()
  }
}

/** For clients that cannot be sent anywhere: their users read it. */
function readable({ message, url }: ConsentNeeded): GatewayError {
  return new GatewayError('CONSENT_NEEDED', `${message}: open ${url} in a browser, then try again`)
}
