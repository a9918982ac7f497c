import { setImmediate as immediate } from 'node:timers/promises'

let last: Promise<void> = Promise.resolve()

/**
 * Waits for a turn of the event loop that is this caller's alone: however many work in slices, between two slices everybody
 * else had a turn.
 */
export function nextTurn(): Promise<void> {
  last = last.then(() => immediate())
  return last
}
