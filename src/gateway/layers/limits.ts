import type { Call, Caller, Context, EntryCall, Layer } from '../../model/call.ts'
import { GatewayError } from '../../model/errors.ts'
import { principalKey } from '../../model/principal.ts'
import type { BucketSettings, RateLimitSettings } from '../../model/settings.ts'
import type { BucketStore, Draw } from '../limits/buckets.ts'

type Buckets = Pick<RateLimitSettings, 'shared' | 'perUser'>

/** Limits on all tool calls together: of everybody, and of each principal. */
export function callLimitLayer(settings: RateLimitSettings, store: BucketStore): Layer {
  return limitLayer(store, () => ({ buckets: settings, scope: '' }))
}

/**
 * Limits on single tools, by shown name. They come after the decision whether the caller may use the tool, and count only
 * tools that this caller has: a refusal would else reveal one that is hidden.
 */
export function toolLimitLayer(
  { tools }: RateLimitSettings,
  store: BucketStore,
  has: (call: EntryCall, caller: Caller) => boolean,
): Layer {
  return limitLayer(store, (call, caller) => {
    const buckets = tools.get(call.name)
    return buckets && has(call, caller) ? { buckets, scope: `tool:${call.name}:` } : undefined
  })
}

type ToolCall = Call & { kind: 'tool' }

function limitLayer(
  store: BucketStore,
  limitsOf: (call: ToolCall, caller: Caller) => { buckets: Buckets; scope: string } | undefined,
): Layer {
  return (inner) => ({
    ...inner,
    async invoke(call, context) {
      const limits = isMetered(call) ? limitsOf(call, context) : undefined
      const draws = limits ? drawsOf(limits.buckets, limits.scope, context) : []
      if (draws.length > 0) {
        const waitMs = await store.take(draws, performance.now())
        if (waitMs !== undefined) throw limited(waitMs)
      }
      return inner.invoke(call, context)
    },
  })
}

/** A retry with answers goes on with a call that has been counted. */
function isMetered(call: Call): call is ToolCall {
  return call.kind === 'tool' && call.params['inputResponses'] === undefined
}

function drawsOf({ shared, perUser }: Buckets, scope: string, { principal }: Context): Draw[] {
  const draw = (key: string, settings: BucketSettings | undefined): Draw[] => (settings ? [{ key, settings }] : [])
  return [...draw(`${scope}shared`, shared), ...draw(`${scope}user:${principalKey(principal)}`, perUser)]
}

function limited(waitMs: number): GatewayError {
  const retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1000))
  return new GatewayError('RATE_LIMITED', 'Rate limit exceeded', { data: { retryAfterSeconds } })
}
