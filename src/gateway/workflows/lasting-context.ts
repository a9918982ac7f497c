import type { Caller, Context } from '../../model/call.ts'
import { Cancellation } from '../../model/cancellation.ts'

/** A context that outlives its request. */
interface Lasting {
  context: Context
  /** Nothing is said on the way of the request any more: over a pipe it would still arrive. */
  answered: () => void
}

/** The same caller and moment, without what is good only until the request is answered. */
export function lastingContext(context: Context): Lasting {
  let emit = context.emit
  const lasting: Context = {
    ...context,
    deadline: undefined,
    streaming: false,
    emit: emit && ((notification) => emit?.(notification)),
    flow: undefined,
    letGo: undefined,
    header: undefined,
  }
  return { context: lasting, answered: () => (emit = undefined) }
}

/** Whoever has a handle cancels nothing by being gone. */
const NEVER = new Cancellation()

/** The context of a caller whose request nobody waits for. */
export function contextWithout(caller: Caller & Partial<Context>): Context {
  const { principal, owner, era, revision, profile, logLevel, clientInfo, passed } = caller
  return {
    principal,
    owner,
    era,
    revision,
    profile,
    logLevel,
    clientInfo,
    passed,
    signal: NEVER,
    deadline: undefined,
    streaming: false,
    emit: undefined,
    ask: undefined,
    header: undefined,
  }
}

/** The same context, with what another request of its owner shows. */
export const showing = (context: Context, { principal, passed }: Context): Context => ({
  ...context,
  principal,
  passed,
})
