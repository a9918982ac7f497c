import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** How much may pass between two collections. */
const EVERY_BYTES = 2 * 1024 * 1024

type Collect = (options: { type: 'minor' }) => void

let collect: Collect | undefined
let passed = 0

/**
 * Network buffers of a large result are garbage as soon as they are written, but V8 sees only their small handles and
 * lets tens of megabytes gather before it looks. A collection of the young generation every few megabytes, under a
 * millisecond each, keeps a result of any size within a few megabytes of memory.
 */
export function passedThrough(bytes: number): void {
  passed += bytes
  if (passed < EVERY_BYTES) return
  passed = 0
  collect ??= exposedCollector()
  collect({ type: 'minor' })
}

/** The flag matters only while the context is made. */
function exposedCollector(): Collect {
  setFlagsFromString('--expose-gc')
  const exposed = runInNewContext('gc') as Collect
  setFlagsFromString('--no-expose-gc')
  return exposed
}
