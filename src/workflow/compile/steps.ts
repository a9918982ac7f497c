import { readTool, readWorkflow } from './calls.ts'
import { readCommon } from './common.ts'
import type { AuthoredStep, Draft, Kind } from './draft.ts'
import type { Path } from './faults.ts'
import { readKind, type StepKind } from './keys.ts'
import { readLoop } from './loops.ts'
import type { PlannedLoop, PlannedNested, PlannedQuestion, PlannedTool } from '../plan.ts'
import { readQuestion } from './questions.ts'
import type { Pen, Reading } from './reading.ts'

type Any = Kind<PlannedTool> | Kind<PlannedNested> | Kind<PlannedQuestion> | Kind<PlannedLoop>

const READERS: Readonly<Record<StepKind, (step: AuthoredStep, path: Path, pen: Pen) => Any>> = {
  tool: readTool,
  workflow: readWorkflow,
  elicitation: readQuestion,
  forEach: readLoop,
}

/** Reads one step: everything about it that does not need the other steps. */
export function readStep(step: AuthoredStep, path: Path, reading: Reading): Draft {
  const pen: Pen = { reading, texts: [] }
  const kind = readKind(step, path, reading.ledger)
  const { planned, never, gaps, defaults } = readCommon(step, path, pen)
  const { plan, output, gaps: more = [], inside = new Map() } = READERS[kind](step, path, pen)
  return {
    id: step.id,
    path,
    step,
    texts: pen.texts,
    inside,
    output,
    never,
    gaps: [...gaps, ...more],
    defaults,
    plan: (after) => ({ ...planned, ...plan, after }),
  }
}
