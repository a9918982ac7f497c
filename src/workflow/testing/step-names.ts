import { isEntrance, type Plan, type PlannedStep } from '../plan.ts'

/** A step as cases may mean it. */
interface NamedStep {
  readonly kind: PlannedStep['kind']
  /** That it calls, once or for each item. */
  readonly tool?: string
  /** Where it is, with a mark for each loop around it: `deploy[].push`. */
  readonly place: string
}

/** The names of all steps of a plan, those of loops and nested workflows included. */
export interface StepNames {
  /** The step of that name: `deploy[2].push`, and for all iterations `deploy.push`. */
  readonly find: (name: string) => NamedStep | undefined
  /** By which the step that has this id in words may be meant, the most particular first. */
  readonly namesOf: (step: string) => readonly string[]
  /** Names without indices of the steps of these kinds. */
  readonly list: (...kinds: readonly PlannedStep['kind'][]) => readonly string[]
  /** All that are called. */
  readonly tools: ReadonlySet<string>
}

/** `deploy[2].push` becomes `deploy[].push`. */
export const placeOf = (step: string): string => step.replaceAll(/\[\d+\]/gu, '[]')

export function stepNames(plan: Plan): StepNames {
  const byName = new Map<string, NamedStep>()
  const byPlace = new Map<string, NamedStep>()
  const spellings = new Map<string, readonly string[]>()
  const tools = new Set<string>()

  const add = (step: NamedStep, names: readonly string[]) => {
    byPlace.set(step.place, step)
    spellings.set(step.place, names)
    for (const name of names) if (!byName.has(name)) byName.set(name, step)
  }

  /** `prefixes`: of the workflow around, in each spelling. `around`: its place. */
  const walk = ({ steps }: Plan, prefixes: readonly string[], around: string) => {
    for (const step of steps) {
      if (isEntrance(step)) continue
      const work = step.kind === 'forEach' ? step.step : step
      const calls = work.kind === 'tool' ? { tool: work.tool } : {}
      const place = `${around}${step.id}`
      let names = prefixes.map((prefix) => prefix + step.id)
      let within = place
      add({ kind: step.kind, ...calls, place }, names)
      if (work !== step) {
        // Its author has given it an id, and may think of it by that.
        names = [...names, ...prefixes.map((prefix) => prefix + work.id)]
        within = `${place}[]`
        add({ kind: work.kind, ...calls, place: within }, names)
      }
      if (work.kind === 'tool') tools.add(work.tool)
      if (work.kind === 'workflow')
        walk(
          work.plan,
          names.map((name) => `${name}.`),
          `${within}.`,
        )
    }
  }
  walk(plan, [''], '')

  return {
    find: (name) => byName.get(name) ?? byPlace.get(placeOf(name)),
    namesOf: (step) => [...new Set([step, ...(spellings.get(placeOf(step)) ?? [])])],
    list: (...kinds) => [...byName].flatMap(([name, { kind }]) => (kinds.includes(kind) ? [name] : [])),
    tools,
  }
}
