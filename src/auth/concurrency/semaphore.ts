/** How much is done at a time, how much waits for its turn, and for how many milliseconds at most. */
export interface SemaphoreLimits {
  readonly atOnce: number
  readonly waiting: number
  /** Absent: until it is its turn. */
  readonly patienceMs?: number
}

/** Does one thing when it is its turn. Rejects with what `refusal` makes when there is no room, or it takes too long. */
export type Semaphore = <Result>(work: () => Promise<Result>) => Promise<Result>

/** First come, first served. */
export function createSemaphore({ atOnce, waiting, patienceMs }: SemaphoreLimits, refusal: () => Error): Semaphore {
  let busy = 0
  const line = new Set<() => void>()

  function turn(): Promise<void> {
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        line.delete(go)
        reject(refusal())
      }
      const timer = patienceMs === undefined ? undefined : setTimeout(giveUp, patienceMs)
      line.add(go)
      function go(): void {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** A place passes from hand to hand, so that nobody who comes later can take it. */
  function leave(): void {
    const [next] = line
    if (!next) {
      busy--
      return
    }
    line.delete(next)
    next()
  }

  return async (work) => {
    if (busy < atOnce) busy++
    else if (line.size < waiting) await turn()
    else throw refusal()
    try {
      return await work()
    } finally {
      leave()
    }
  }
}
