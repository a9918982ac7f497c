import { hasEnded } from '../advance/body.ts'
import type { RunState, StepState } from '../run-state.ts'

export interface Progress {
  /** Steps that have ended, loops in part. */
  readonly done: number
  /** Of those that have ended since `before`. */
  readonly message: string
}

/** `ids`: of the steps, by place. */
export function progressOf(ids: readonly string[], before: RunState, now: RunState): Progress {
  let done = 0
  const news: string[] = []
  for (const [place, step] of now.body.steps.entries()) {
    if (!step) continue
    done += shareOf(step)
    if (step !== before.body.steps[place] && hasEnded(step)) news.push(`${ids[place]} ${step.status}`)
  }
  return { done, message: news.join(', ') }
}

function shareOf(step: StepState): number {
  if (hasEnded(step)) return 1
  if (!step.loop) return 0
  const { items, iterations, live } = step.loop
  return (iterations.length - live.length) / (items.length + 1)
}
