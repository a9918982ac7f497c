import { CELLS } from './requirements/cells.ts'
import { DOWN_CONVERSIONS } from './requirements/down-conversions.ts'
import { FAULTS } from './requirements/faults.ts'
import { HARD_POINTS } from './requirements/hard-points.ts'
import type { Requirement } from './requirements/row.ts'
import { RULES } from './requirements/rules.ts'
import { TRANSPORTS } from './requirements/transports.ts'

/** Everything that is asked of the gateway between a client and a backend. A row that is carried needs a test that proves it. */
export const REQUIREMENTS: ReadonlyMap<string, Requirement> = new Map(
  [...CELLS, ...HARD_POINTS, ...RULES, ...DOWN_CONVERSIONS, ...TRANSPORTS, ...FAULTS].map((row) => [row.id, row]),
)
