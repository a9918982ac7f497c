import { signedBy } from '../backends/incoming/incoming.ts'
import type { UpstreamRequest } from '../backends/leg.ts'
import type { Context, EntryCall } from '../model/call.ts'
import type { BackendEntry } from '../model/catalogue.ts'
import type { BackendId } from '../model/ids.ts'
import type { JsonObject } from '../model/json.ts'
import { lowerNotification, needsLowering } from '../protocol/downgrade.ts'
import { metaOf } from '../protocol/envelope.ts'
import { DEFAULT_LOG_LEVEL, passes } from '../protocol/log-level.ts'

/** The method that asks for each kind of entry. */
const METHOD_OF = {
  tool: 'tools/call',
  prompt: 'prompts/get',
  resource: 'resources/read',
  complete: 'completion/complete',
} as const satisfies Record<EntryCall['kind'], string>

/** A call as its backend gets it. */
export function requestFor(call: EntryCall, entry: BackendEntry, context: Context): UpstreamRequest {
  const { backend, native } = entry.route
  const request = requestTo(METHOD_OF[call.kind], call.params, patchFor(call, native), backend, context)
  // What an older client may not take has to be looked at.
  request.streaming = context.streaming && !(context.era === 'legacy' && needsLowering(context.revision))
  if (call.kind === 'tool') request.tool = entry.definition
  return request
}

/** A request of a caller to one backend; `patch` holds the params that differ there. The answer comes parsed. */
export function requestTo(
  method: string,
  params: JsonObject,
  patch: JsonObject,
  backend: BackendId,
  context: Context,
): UpstreamRequest {
  return {
    method,
    params,
    patch,
    caller: context,
    signal: context.signal,
    deadline: context.deadline,
    progress: context.emit !== undefined && metaOf(params)?.['progressToken'] !== undefined,
    onNotification: relay(params, context, backend),
    flow: context.flow,
    letGo: context.letGo,
    passed: context.passed,
    ask: context.ask,
    streaming: false,
    tool: undefined,
  }
}

function patchFor(call: EntryCall, native: string): JsonObject {
  switch (call.kind) {
    case 'tool':
    case 'prompt':
      return { name: native }
    case 'complete':
      return call.ref.type === 'prompt' ? { ref: { ...(call.params['ref'] as JsonObject), name: native } } : {}
    case 'resource':
      return {}
  }
}

/**
 * Progress goes back under the caller's own token, log lines from the caller's level on; nobody else sees them,
 * and nobody who did not ask.
 */
function relay(params: JsonObject, context: Context, backend: BackendId): UpstreamRequest['onNotification'] {
  const { emit } = context
  const token = metaOf(params)?.['progressToken']
  const level = context.logLevel ?? (context.era === 'legacy' ? DEFAULT_LOG_LEVEL : undefined)
  if (!emit || (token === undefined && level === undefined)) return undefined
  const { era, revision } = context
  const lowered = (method: string, said: JsonObject): JsonObject =>
    era === 'legacy' ? lowerNotification(revision, method, said) : said
  return ({ method, params: said }) => {
    if (method === 'notifications/progress') {
      emit({ method, params: lowered(method, { ...said, progressToken: token }) })
    } else if (level !== undefined && passes(said['level'], level)) {
      emit({ method, params: lowered(method, signedBy(backend, said)) })
    }
  }
}
