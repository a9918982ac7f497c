import { isEntrance, type Plan, type PlannedStep } from '../plan.ts'

/** A composite tool as it is drawn. Ids and names are the author's: any text. */
export interface Graph {
  readonly name: string
  /** Each behind those that it waits for. */
  readonly nodes: readonly GraphNode[]
  /** One for each step that another waits for, in the order of `to`. */
  readonly edges: readonly GraphEdge[]
}

export interface GraphNode {
  readonly id: string
  readonly kind: PlannedStep['kind']
  /** Name of the tool or workflow; of a loop, the name of its item. Absent: it calls nothing. */
  readonly calls?: string
  /** It has a condition, and may be skipped. */
  readonly conditional: boolean
  /** What is done when it fails or is not answered, in words; nothing is said of what aborts. */
  readonly policies: readonly string[]
  /** The steps of a workflow, the one step of a loop. Absent where drawing them would be too much. */
  readonly inside?: Graph
}

/** Places in `Graph.nodes`. */
interface GraphEdge {
  readonly from: number
  readonly to: number
  /** What it leads to has a condition. */
  readonly conditional: boolean
}

/** Workflows within workflows, the outermost counted. */
const MAX_DEPTH = 5
/** Beyond so many steps nested workflows stay closed: a picture that large tells nothing, and Mermaid refuses it. */
const MAX_STEPS = 250

/** What there is to draw of a plan: all of its own steps, and those of nested workflows as far as they are bearable. */
export function drawable(plan: Plan): Graph {
  return graphOf(plan, { steps: MAX_STEPS - plan.steps.length }, 1)
}

/** How many steps may still be drawn. */
interface Budget {
  steps: number
}

function graphOf(plan: Plan, budget: Budget, depth: number): Graph {
  // Nobody has written it, and all others wait for it.
  const first = isEntrance(plan.steps[0]) ? 1 : 0
  const steps = plan.steps.slice(first)
  return {
    name: plan.name,
    nodes: steps.map((step) => nodeOf(step, budget, depth)),
    edges: steps.flatMap((step, to) =>
      step.after
        .filter((from) => from >= first)
        .map((from) => ({ from: from - first, to, conditional: step.condition !== undefined })),
    ),
  }
}

function nodeOf(step: PlannedStep, budget: Budget, depth: number): GraphNode {
  const calls = callsOf(step)
  const inside = insideOf(step, budget, depth)
  return {
    id: step.id,
    kind: step.kind,
    ...(calls !== undefined && { calls }),
    conditional: step.condition !== undefined,
    policies: policiesOf(step),
    ...(inside && { inside }),
  }
}

function callsOf(step: PlannedStep): string | undefined {
  switch (step.kind) {
    case 'tool':
      return step.tool
    case 'workflow':
      return step.plan.name
    case 'forEach':
      return step.itemVar
    case 'question':
      return undefined
  }
}

function insideOf(step: PlannedStep, budget: Budget, depth: number): Graph | undefined {
  if (step.kind === 'forEach') {
    budget.steps -= 1
    return { name: step.id, nodes: [nodeOf(step.step, budget, depth)], edges: [] }
  }
  if (step.kind !== 'workflow' || depth >= MAX_DEPTH || step.plan.steps.length > budget.steps) return undefined
  budget.steps -= step.plan.steps.length
  return graphOf(step.plan, budget, depth + 1)
}

function policiesOf(step: PlannedStep): string[] {
  const { action, retries } = step.onError
  const policies = {
    abort: [],
    continue: ['continues on error'],
    retry: [`up to ${retries} ${retries === 1 ? 'retry' : 'retries'}`],
  }[action]
  if (step.kind !== 'question') return policies
  const answers = [
    ['decline', step.onDecline],
    ['cancel', step.onCancel],
  ] as const
  return [
    ...policies,
    ...answers.flatMap(([answer, then]) =>
      then === 'abort' ? [] : [`${then === 'continue' ? 'continues' : 'skips the rest'} on ${answer}`],
    ),
  ]
}
