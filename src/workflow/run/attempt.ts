import { Cancellation } from '../../model/cancellation.ts'
import type { CallFailure } from '../run-state.ts'
import { type Clock, StepError, type StepResult, wait } from './ports.ts'

/** How an attempt ended: as an event tells it. */
export type AttemptEnd = { readonly result: StepResult } | { readonly failure: CallFailure }

/** One attempt of one call. */
export interface Attempt {
  /** Nobody waits for it any more. */
  readonly cancel: (why: Error) => void
  /** Time does not run until the returned function is called. */
  readonly hold: () => () => void
}

export interface AttemptOptions {
  readonly call: (signal: Cancellation) => Promise<StepResult>
  readonly timeoutMs: number
  readonly clock: Clock
  /** Called once; and, when a result comes although nobody waits for it any more, once more. */
  readonly onEnd: (end: AttemptEnd) => void
}

/** Names one attempt of one call. */
export const keyOf = ({ path, attempt }: { path: readonly number[]; attempt: number }): string =>
  `${path.join('.')}@${attempt}`

/** Without a word of when. */
const RETRY_LIMITED_MS = 1_000

/** Makes the call, again while a rate limit stands in its way, as long as its time allows. */
export function startAttempt({ call, timeoutMs, clock, onEnd }: AttemptOptions): Attempt {
  const signal = new Cancellation()
  let isOver = false
  let leftMs = timeoutMs
  let since = clock.now()
  let holds = 0
  let stopTimer = clock.setTimer(leftMs, expire)
  // Whoever starts it has it in hand when the call begins.
  queueMicrotask(() => {
    if (!isOver) void perform()
  })

  async function perform(): Promise<void> {
    for (;;) {
      let retryMs: number
      try {
        return end({ result: await call(signal) })
      } catch (error) {
        if (!(error instanceof StepError)) {
          return end({ failure: { kind: 'error', message: error instanceof Error ? error.message : String(error) } })
        }
        const { kind, message, retryAfterMs = RETRY_LIMITED_MS } = error
        if (kind !== 'limited' || retryAfterMs >= left()) return end({ failure: { kind, message } })
        retryMs = retryAfterMs
      }
      if (isOver) return
      await wait(clock, retryMs, signal)
      if (isOver) return
    }
  }

  const left = (): number => (holds > 0 ? leftMs : leftMs - (clock.now() - since))

  function end(how: AttemptEnd): void {
    if (isOver && 'failure' in how) return
    isOver = true
    stopTimer()
    onEnd(how)
  }

  function expire(): void {
    const message = `No result within ${timeoutMs} ms`
    end({ failure: { kind: 'timeout', message } })
    signal.cancel(new StepError('timeout', message))
  }

  return {
    cancel: (why) => {
      isOver = true
      stopTimer()
      signal.cancel(why)
    },
    hold: () => {
      if (holds++ === 0) {
        leftMs -= clock.now() - since
        stopTimer()
      }
      let isHeld = true
      return () => {
        if (!isHeld) return
        isHeld = false
        if (--holds > 0 || isOver) return
        since = clock.now()
        stopTimer = clock.setTimer(leftMs, expire)
      }
    },
  }
}
