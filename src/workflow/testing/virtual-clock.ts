import type { Cancellation } from '../../model/cancellation.ts'
import type { Clock } from '../run/ports.ts'

/**
 * Time that jumps to whatever happens next. Only while something real is under way does it pass as it does outside.
 */
export interface VirtualClock extends Clock {
  /** Something real, until it ends or nobody waits for it any more. */
  readonly real: <Value>(work: Promise<Value>, signal: Cancellation) => Promise<Value>
  /** Makes time pass until the promise settles. Rejects when it never will. */
  readonly until: <Value>(promise: Promise<Value>) => Promise<Value>
}

interface Timer {
  readonly at: number
  readonly callback: () => void
}

/** `start`: milliseconds since the epoch. */
export function virtualClock(start: number): VirtualClock {
  const timers = new Set<Timer>()
  let then = start
  let busy = 0
  /** When the first of what is under way began, or another one ended, in time of this machine. */
  let busySince = 0
  let wake = () => {}

  const now = (): number => (busy === 0 ? then : then + Math.floor(performance.now() - busySince))
  const earliest = (): Timer | undefined => {
    let first: Timer | undefined
    for (const timer of timers) if (!first || timer.at < first.at) first = timer
    return first
  }
  const fire = (timer: Timer) => {
    timers.delete(timer)
    if (busy === 0) then = Math.max(then, timer.at)
    timer.callback()
  }
  const nudge = (): Promise<void> => new Promise((resolve) => (wake = resolve))

  return {
    now,
    setTimer: (ms, callback) => {
      const timer = { at: now() + ms, callback }
      if (ms !== Infinity) timers.add(timer)
      wake()
      return () => timers.delete(timer)
    },
    real: async (work, signal) => {
      if (busy++ === 0) busySince = performance.now()
      let isOver = false
      const end = () => {
        if (isOver) return
        isOver = true
        then = now()
        busySince = performance.now()
        busy--
        wake()
      }
      signal.onCancel(end)
      try {
        return await work
      } finally {
        end()
        signal.offCancel(end)
      }
    },
    until: async (promise) => {
      let isSettled = false
      const settle = () => {
        isSettled = true
        wake()
      }
      promise.then(settle, settle)
      for (;;) {
        await everythingElse()
        if (isSettled) return promise
        const next = earliest()
        if (busy === 0) {
          if (!next) throw new Error('The run waits for something that never happens')
          fire(next)
        } else if (next && next.at <= now()) fire(next)
        else await sleep(next ? next.at - now() : LONGEST_SLEEP_MS, nudge())
      }
    },
  }
}

/** With more, timers of Node run at once. */
const LONGEST_SLEEP_MS = 2 ** 31 - 1

async function sleep(ms: number, nudged: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const passed = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.min(Math.ceil(ms), LONGEST_SLEEP_MS))
  })
  await Promise.race([passed, nudged])
  clearTimeout(timer)
}

/** All that needs no time has happened: nothing that a run does by itself waits for more than promises. */
const everythingElse = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
