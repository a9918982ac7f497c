import type { JsonValue } from '../../model/json.ts'
import type { Event } from '../advance/event.ts'
import type { Body, RunState, StepState } from '../run-state.ts'
import { bytesOf } from './result.ts'

type Ended = Event & { readonly type: 'ended' }

/** The results that a run keeps, and what of them fits. `most`: bytes, about, of their JSON. */
export class HeldResults {
  readonly #most: number
  #bytes: number

  /** Of a run that was taken over, with all that it keeps already. */
  constructor(run: RunState, most: number) {
    this.#most = most
    this.#bytes = bytesIn(run.body)
  }

  /** The end of a call as it is, or, when the run cannot keep what it gave, as a failure that says so. */
  admit(event: Ended, run: RunState): Ended {
    const bytes = 'result' in event ? resultBytes(event.result) : event.failure.message.length
    if (this.#bytes + bytes > this.#most) {
      // Loops that are tried again let go of what they had.
      this.#bytes = bytesIn(run.body)
    }
    if (this.#bytes + bytes <= this.#most) {
      this.#bytes += bytes
      return event
    }
    const { type, at, path, attempt } = event
    const message = `With the result of this call the run would keep results of more than ${this.#most} bytes`
    const kind = 'failure' in event ? event.failure.kind : 'error'
    return { type, at, path, attempt, failure: { kind, message } }
  }
}

function resultBytes({ output, content }: { readonly output?: JsonValue; readonly content?: JsonValue }): number {
  return sizeOf(output) + sizeOf(content)
}

function bytesIn({ steps }: Body): number {
  let bytes = 0
  for (const step of steps) if (step) bytes += bytesOfStep(step)
  return bytes
}

function bytesOfStep(step: StepState): number {
  // The output of a loop is made of those of its iterations, and shares them.
  if (step.loop) return step.loop.iterations.reduce((bytes, iteration) => bytes + bytesOfStep(iteration), 0)
  if (step.body) return bytesIn(step.body)
  const { late, error = '' } = step
  return resultBytes(step) + error.length + (late ? sizeOf(late.output) + (late.error?.length ?? 0) : 0)
}

/** Values of runs never change, and are counted again and again. */
const sizes = new WeakMap<object, number>()

function sizeOf(value: JsonValue | undefined): number {
  if (value === undefined) return 0
  if (typeof value !== 'object' || value === null) return bytesOf(value)
  let size = sizes.get(value)
  if (size === undefined) {
    size = bytesOf(value)
    sizes.set(value, size)
  }
  return size
}
