import type { Call, Caller, Context, EntryCall, Layer } from '../../model/call.ts'
import { GatewayError } from '../../model/errors.ts'
import { principalKey } from '../../model/principal.ts'
import type { BucketSettings, RateLimitSettings } from '../../model/settings.ts'
import type { BucketStore, Draw } from '../limits/buckets.ts'

interface Buckets {
  shared?: BucketSettings | undefined
  perUser?: BucketSettings | undefined
}

/** The limit on all tool calls of one principal. It comes before the decision: guessing names costs, too. */
export function callerLimitLayer({ perUser }: RateLimitSettings, store: BucketStore, goesOn: GoesOn): Layer {
  return limitLayer(store, goesOn, (_call, caller) => drawsOf({ perUser }, '', caller))
}

/**
 * Limits that callers share, and those on single tools, by shown name. They come after the decision whether the caller
 * may use the tool, and count only tools that this caller has: a refusal would else reveal one that is hidden, and one
 * caller's misspelt names would be everybody's loss.
 */
export function toolLimitLayer(
  { shared, tools }: RateLimitSettings,
  store: BucketStore,
  goesOn: GoesOn,
  has: (call: EntryCall, caller: Caller) => boolean,
): Layer {
  return limitLayer(store, goesOn, (call, caller) => {
    const own = tools.get(call.name)
    if ((!shared && !own) || !has(call, caller)) return []
    return [...drawsOf({ shared }, '', caller), ...(own ? drawsOf(own, `tool:${call.name}:`, caller) : [])]
  })
}

type ToolCall = Call & { kind: 'tool' }

/** Whether a request goes on with a call that waits for it, and has been counted. Whatever else it says may be made up. */
type GoesOn = (call: Call, context: Context) => boolean

function limitLayer(store: BucketStore, goesOn: GoesOn, drawsFor: (call: ToolCall, caller: Caller) => Draw[]): Layer {
  return (inner) => ({
    ...inner,
    async invoke(call, context) {
      const draws = call.kind === 'tool' && !goesOn(call, context) ? drawsFor(call, context) : []
      if (draws.length > 0) {
        const waitMs = await store.take(draws, performance.now())
        if (waitMs !== undefined) throw limited(waitMs)
      }
      return inner.invoke(call, context)
    },
  })
}

function drawsOf({ shared, perUser }: Buckets, scope: string, { principal }: Caller): Draw[] {
  const draw = (key: string, settings: BucketSettings | undefined): Draw[] => (settings ? [{ key, settings }] : [])
  return [...draw(`${scope}shared`, shared), ...draw(`${scope}user:${principalKey(principal)}`, perUser)]
}

function limited(waitMs: number): GatewayError {
  const retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1000))
  return new GatewayError('RATE_LIMITED', `Rate limit exceeded: try again in ${retryAfterSeconds} s`, {
    data: { retryAfterSeconds },
  })
}
