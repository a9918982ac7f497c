import type { Fault } from '../faults.ts'
import { list, type LocatedMap, map, type Position, positionOf, put, type Step } from '../positions.ts'
import type { AuthoredCompositeTool } from '../schema/composite.ts'
import { validate } from '../validate.ts'
import { respellCompositeTools } from './composite-tools.ts'

/** Definitions of composite tools that nothing refers to, as far as their shape is right. */
export interface Unreferenced {
  compositeTools: readonly AuthoredCompositeTool[]
  /** What is wrong with their shape. */
  faults: readonly Fault[]
  /** As of the configuration, with `compositeTools` as the first step. */
  locate: (steps: readonly Step[]) => Position
}

export function readUnreferenced(specs: readonly LocatedMap[], origin: Position): Unreferenced {
  const tree = map(origin)
  if (specs.length > 0) put(tree, 'compositeTools', list([...specs], origin))
  const older = respellCompositeTools(tree)
  const { shaped, faults } = validate(tree)
  return {
    compositeTools: shaped?.value.compositeTools ?? [],
    faults: [...older, ...faults],
    locate: (steps) => positionOf(shaped?.root ?? tree, steps),
  }
}
