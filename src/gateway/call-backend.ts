import type { Backend } from '../backends/backend.ts'
import type { UpstreamRequest } from '../backends/leg.ts'
import type { Call, Context, EntryCall, Outcome } from '../model/call.ts'
import type { BackendEntry, Entry } from '../model/catalogue.ts'
import { leadsToBackend } from '../model/catalogue.ts'
import { GatewayError, JSONRPC } from '../model/errors.ts'
import { isSignInTool } from '../model/sign-in.ts'
import { linksIn } from '../protocol/links.ts'
import { paramHeaderMismatch, paramHeadersOf } from '../protocol/param-headers.ts'
import { errorFor } from './backend-error.ts'
import type { LinkMemory } from './catalogue/link-memory.ts'
import { afterSignIn, outcomeOf } from './outcome.ts'
import type { Parking } from './questions/parking.ts'
import type { Resolver } from './catalogue/resolve.ts'
import type { ToolCalls } from './tasks/tool-call.ts'
import { callTool, toolReply } from './tasks/tool-call.ts'
import { requestFor } from './upstream.ts'

export interface BackendCallParts {
  resolver: Resolver
  parking: Parking
  links: LinkMemory
  toolCalls: ToolCalls
}

type Run = (request: UpstreamRequest) => Promise<Outcome>

/** Calls an entry at its backend. Throws what `Backend.call` throws, as this caller may have it. */
export async function callEntry(
  backend: Backend,
  entry: BackendEntry,
  call: EntryCall,
  context: Context,
  { resolver, parking, links, toolCalls }: BackendCallParts,
): Promise<Outcome> {
  if (isSignInTool(entry.definition)) return signIn(backend, context)
  const run = async (asked: UpstreamRequest): Promise<Outcome> => {
    const reply =
      call.kind === 'tool'
        ? toolReply(backend, await callTool(backend, entry, asked, toolCalls), asked.caller, toolCalls)
        : await backend.call(asked)
    const outcome = outcomeOf(reply, context, backend.spec.id)
    if (outcome.kind === 'result') links.remember(context.owner, linksIn(outcome.value), backend.spec.id)
    return outcome
  }
  if (context.header) checkHeaders(entry, call, context.header)
  try {
    return await callOrPark(backend, call, context, requestFor(call, entry, context), parking, run)
  } catch (error) {
    if (!isHeaderMismatch(error)) throw errorFor(error, context)
    // The backend has refused a header, not run the call: the tool has changed under us.
    await backend.relist(context.signal)
    const fresh = await resolver.late(call, context, context.signal)
    return run(requestFor(call, fresh && leadsToBackend(fresh) ? fresh : entry, context)).catch((again: unknown) => {
      throw errorFor(again, context)
    })
  }
}

/** Throws `CONSENT_NEEDED` until the user has signed in. */
async function signIn(backend: Backend, context: Context): Promise<Outcome> {
  await backend.enter(context, context.signal)
  return afterSignIn()
}

/**
 * A modern client is asked by the answer to its request: a legacy backend's call waits for what it says. Whoever can be asked
 * in the middle is.
 */
export function callOrPark(
  backend: Backend,
  call: Call,
  context: Context,
  request: UpstreamRequest,
  parking: Parking,
  run: Run,
): Promise<Outcome> {
  if (context.era === 'legacy' || context.ask) return run(request)
  // Known only when it is awake: another server may stand there by now.
  if (!backend.reachable) return callAwake(backend, call, context, request, parking, run)
  const parks = backend.servingEra('modern') === 'legacy' || parking.hasAsked(call, context)
  return parks ? parking.invoke(call, context, request, run) : run(request)
}

async function callAwake(
  backend: Backend,
  call: Call,
  context: Context,
  ...rest: [UpstreamRequest, Parking, Run]
): Promise<Outcome> {
  await backend.wake(context.signal)
  return callOrPark(backend, call, context, ...rest)
}

/** Arguments that stand in headers too must say the same in both (2026-07-28, "Custom Headers from Tool Parameters"). */
function checkHeaders({ definition }: Entry, call: EntryCall, header: (name: string) => string | undefined): void {
  if (call.kind !== 'tool') return
  const mirrored = paramHeadersOf(definition)
  if (typeof mirrored !== 'object') return
  const mismatch = paramHeaderMismatch(mirrored, header, call.params)
  if (mismatch !== undefined) throw new GatewayError('HEADER_MISMATCH', `Bad Request: ${mismatch}`)
}

function isHeaderMismatch(error: unknown): boolean {
  return error instanceof GatewayError && error.code === 'BACKEND_ERROR' && error.jsonrpc === JSONRPC.headerMismatch
}
