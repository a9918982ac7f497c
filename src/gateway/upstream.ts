import { signedBy } from '../backends/answers.ts'
import type { UpstreamRequest } from '../backends/leg.ts'
import type { Call, Context } from '../model/call.ts'
import type { BackendId } from '../model/ids.ts'
import type { JsonObject } from '../model/json.ts'
import { metaOf } from '../protocol/envelope.ts'
import { DEFAULT_LOG_LEVEL, passes } from '../protocol/log-level.ts'

const METHODS = {
  tool: 'tools/call',
  prompt: 'prompts/get',
  resource: 'resources/read',
  complete: 'completion/complete',
} as const satisfies Record<Call['kind'], string>

/** A call as its backend gets it. */
export function requestFor(call: Call, native: string, context: Context, backend: BackendId): UpstreamRequest {
  const { params } = call
  return {
    method: METHODS[call.kind],
    params,
    patch: patchFor(call, native),
    caller: context,
    signal: context.signal,
    deadline: context.deadline,
    progress: context.emit !== undefined && metaOf(params)?.['progressToken'] !== undefined,
    onNotification: relay(params, context, backend),
    ask: context.ask,
    streaming: context.streaming,
  }
}

function patchFor(call: Call, native: string): JsonObject {
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
  return ({ method, params: said }) => {
    if (method === 'notifications/progress') emit({ method, params: { ...said, progressToken: token } })
    else if (level !== undefined && passes(said['level'], level)) emit({ method, params: signedBy(backend, said) })
  }
}
