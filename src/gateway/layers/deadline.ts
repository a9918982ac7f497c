import type { Call, Context, Deadline, Layer } from '../../model/call.ts'
import type { Cancellation } from '../../model/cancellation.ts'
import { GatewayError } from '../../model/errors.ts'
import type { BackendId } from '../../model/ids.ts'
import type { TimeoutSettings } from '../../model/settings.ts'

interface Limit {
  ms: number
  /** The configuration key that raises it. */
  key: string
}

/**
 * Ends calls whose backend is silent for too long (contract 4: progress and body bytes are signs of life, the hard cap
 * counts from the start). Expiry cancels the call, which cancels upstream.
 */
export function deadlineLayer(
  settings: TimeoutSettings,
  backendOf: (call: Call, context: Context) => BackendId | undefined,
  /** Whether it knows itself how long it may take: a composite tool, or a step whose author has said so. */
  keepsOwnTime: (call: Call, context: Context) => boolean,
): Layer {
  return (inner) => ({
    ...inner,
    async invoke(call, context) {
      if (keepsOwnTime(call, context)) return inner.invoke(call, context)
      const timer = new CallTimer(limitFor(call, context, settings, backendOf), settings.maxMs, context.signal)
      let streaming = false
      try {
        // Set in place: a copy of the context per call is a cost that every call pays.
        context.deadline = timer
        const outcome = await inner.invoke(call, context)
        if (outcome.kind === 'stream') {
          streaming = true
          outcome.stream.onFinish(() => timer.clear())
        }
        return outcome
      } finally {
        if (!streaming) timer.clear()
      }
    },
  })
}

function limitFor(
  call: Call,
  context: Context,
  settings: TimeoutSettings,
  backendOf: (call: Call, context: Context) => BackendId | undefined,
): Limit {
  const { perTool, perWorkload, defaultMs } = settings
  if (perTool.size > 0 && call.kind === 'tool') {
    const ms = perTool.get(call.name)
    if (ms !== undefined) return { ms, key: `operational.timeouts.perTool.${call.name}` }
  }
  if (perWorkload.size > 0) {
    const backend = backendOf(call, context)
    const ms = backend === undefined ? undefined : perWorkload.get(backend)
    if (ms !== undefined) return { ms, key: `operational.timeouts.perWorkload.${backend}` }
  }
  return { ms: defaultMs, key: 'operational.timeouts.default' }
}

/** A longer timer would fire at once. */
const LONGEST_TIMER = 2 ** 31 - 1

/** A sign of life only writes down the time; the timer looks at it when it fires. */
class CallTimer implements Deadline {
  readonly #limit: Limit
  readonly #maxMs: number
  readonly #signal: Cancellation
  readonly #start = performance.now()
  #last = this.#start
  /** People who are being asked. */
  #held = 0
  #timer: NodeJS.Timeout

  constructor(limit: Limit, maxMs: number, signal: Cancellation) {
    this.#limit = limit
    this.#maxMs = maxMs
    this.#signal = signal
    this.#timer = setTimeout(expire, Math.min(limit.ms, maxMs, LONGEST_TIMER), this)
  }

  touch(): void {
    this.#last = performance.now()
  }

  hold(): () => void {
    this.#held++
    let released = false
    return () => {
      if (released) return
      released = true
      this.#held--
      this.touch()
    }
  }

  clear(): void {
    clearTimeout(this.#timer)
  }

  check(): void {
    const now = performance.now()
    if (this.#held > 0) this.#last = now
    const left = this.#limit.ms - (now - this.#last)
    const leftAtAll = this.#maxMs - (now - this.#start)
    // Timers fire up to a millisecond early.
    if (leftAtAll < 1) this.#expire(this.#maxMs, 'operational.timeouts.max', 'it took longer than')
    else if (left < 1) this.#expire(this.#limit.ms, this.#limit.key, 'no sign of life for')
    else this.#timer = setTimeout(expire, Math.min(left, leftAtAll, LONGEST_TIMER), this)
  }

  #expire(ms: number, key: string, what: string): void {
    this.#signal.cancel(new GatewayError('DEADLINE_EXCEEDED', `timed out: ${what} ${ms / 1000} s (key: ${key})`))
  }
}

function expire(timer: CallTimer): void {
  timer.check()
}
