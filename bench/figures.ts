import type { SubjectName } from './subjects.ts'

/** One figure of one subject in one cell of a shape, with the rounds it is the median of. */
export interface Figure {
  shape: string
  cell: string
  subject: SubjectName
  metric: string
  value: number
  rounds: number[]
}

/** A figure per round and subject, as a shape collects them. */
export type Rounds = Map<SubjectName, Record<string, number[]>>

export function note(rounds: Rounds, subject: SubjectName, figures: Record<string, number>): void {
  const row = rounds.get(subject) ?? {}
  rounds.set(subject, row)
  for (const [metric, value] of Object.entries(figures)) (row[metric] ??= []).push(value)
}

/** Per round, of figures that were taken in the same round: what drifts with the machine cancels out. */
export function ratio(above: number[] | undefined, below: number[] | undefined): number[] | undefined {
  if (!above || !below) return undefined
  return above.map((value, round) => value / (below[round] ?? Number.NaN))
}

export function difference(above: number[] | undefined, below: number[] | undefined): number[] | undefined {
  if (!above || !below) return undefined
  return above.map((value, round) => value - (below[round] ?? Number.NaN))
}

export function median(values: number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length === 0) return Number.NaN
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export function figuresOf(shape: string, cell: string, rounds: Rounds): Figure[] {
  return [...rounds].flatMap(([subject, row]) =>
    Object.entries(row).map(([metric, values]) => ({
      shape,
      cell,
      subject,
      metric,
      value: median(values),
      rounds: values,
    })),
  )
}
