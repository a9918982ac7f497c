/** Lets so many run at a time; the others wait for their turn, first come, first served. */
export type Gate = <T>(work: () => Promise<T>) => Promise<T>

/** `full` makes the error for those beyond `waiting`. */
export function createGate(running: number, waiting: number, full: () => Error): Gate {
  const queue: (() => void)[] = []
  let free = running
  return async (work) => {
    if (free > 0) free--
    else {
      if (queue.length >= waiting) throw full()
      await new Promise<void>((turn) => void queue.push(turn))
    }
    try {
      return await work()
    } finally {
      const next = queue.shift()
      if (next) next()
      else free++
    }
  }
}
