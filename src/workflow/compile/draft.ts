import type { AuthoredCompositeTool } from '../../config/schema/composite.ts'
import type { JsonValue } from '../../model/json.ts'
import type { PlannedStep } from '../plan.ts'
import type { Path } from './faults.ts'
import type { Text } from './reading.ts'
import type { Shape } from './shapes.ts'

export type AuthoredStep = AuthoredCompositeTool['steps'][number]

/** A step that was read. */
export interface Draft {
  readonly id: string
  readonly path: Path
  readonly step: AuthoredStep
  /** What it reads; texts of a step inside of a loop belong to the loop. */
  readonly texts: readonly Text[]
  /** What a loop's own step may read in addition to what all may. */
  readonly inside: ReadonlyMap<Text, Shape>
  readonly output: Shape
  /** Its condition is never true. */
  readonly never: boolean
  /** Why its output may not be there, for people. */
  readonly gaps: readonly Gap[]
  readonly defaults: JsonValue | undefined
  readonly plan: (after: readonly number[]) => PlannedStep
}

export interface Gap {
  readonly why: string
  /** Only what is below these keys is missing. */
  readonly below?: readonly string[]
}

/** What is particular to one kind of step. */
type Bare<Step> = Omit<Step, 'id' | 'after' | 'condition' | 'timeoutMs' | 'onError' | 'defaults'>

export interface Kind<Step> {
  readonly plan: Bare<Step>
  readonly output: Shape
  readonly gaps?: readonly Gap[]
  readonly inside?: ReadonlyMap<Text, Shape>
}
