import type { Figure } from './figures.ts'
import type { Generator } from './generator.ts'
import type { Running, Subject } from './subjects.ts'

/** How much of everything: one row for the full run, one for the short one. */
export interface Effort {
  short: boolean
  rounds: number
  /** Of one measured run, in milliseconds. */
  runMs: number
  /** Of the run before, whose figures are thrown away. */
  warmMs: number
  /** Calls of the growth shape. */
  growthCalls: number
}

/** What a shape gets to work with. */
export interface Bench {
  subjects: readonly Subject[]
  effort: Effort
  load: Generator
  /** Progress for the person who waits; goes to stderr. */
  say: (text: string) => void
  /** Measures one cell and keeps its figures. A failure is recorded and does not hide what other cells find. */
  attempt: (what: string, measure: () => Promise<Figure[]>) => Promise<void>
}

/** A kind of traffic, and what is measured about it. */
export interface Shape {
  name: string
  about: string
  run(bench: Bench): Promise<void>
}

/** Starts several, hands them on, and ends them however that went. */
export async function using<T>(
  starting: (() => Promise<{ stop: () => Promise<void> }>)[],
  work: () => Promise<T>,
): Promise<T> {
  const started: { stop: () => Promise<void> }[] = []
  try {
    for (const begin of starting) started.push(await begin())
    return await work()
  } finally {
    await Promise.all(started.map((each) => each.stop()))
  }
}

/** As `using`, for subjects: the map holds those that run, by name. */
export async function usingSubjects<T>(
  subjects: readonly Subject[],
  begin: (subject: Subject) => Promise<Running>,
  work: (running: Map<Subject, Running>) => Promise<T>,
): Promise<T> {
  const running = new Map<Subject, Running>()
  return using(
    subjects.map((subject) => async () => {
      const one = await begin(subject)
      running.set(subject, one)
      return one
    }),
    () => work(running),
  )
}
