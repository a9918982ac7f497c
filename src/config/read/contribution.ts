import type { Fault } from '../faults.ts'
import type { LocatedMap, Position } from '../positions.ts'

/** What one document says, brought to the shape of the one schema. It is not checked yet. */
export interface Contribution {
  tree: LocatedMap
  faults: Fault[]
}

/** A backend that cannot run, known before anything is started. */
export interface Withheld {
  backend: string
  at: Position
  message: string
  hint?: string
}
