import type { JsonObject } from '../../model/json.ts'
import type { Offer, World } from '../compile/world.ts'
import type { Plan } from '../plan.ts'
import { type Validate, validator } from '../schema/validate.ts'
import { type StepNames, stepNames } from './step-names.ts'

/** A workflow that is tested. Made once, for all of its cases. */
export interface Subject {
  readonly plan: Plan
  readonly inputSchema: JsonObject
  readonly names: StepNames
  /** Undefined: it is not known, so nothing can be said about what it takes and gives. */
  readonly tool: (name: string) => Offer | undefined
  /** How the plan calls what a case calls so: the id of a step stays, a tool gets the name that clients see. */
  readonly keyOf: (name: string) => string
  /** Whatever fits a schema that cannot be used. */
  readonly fits: (schema: JsonObject) => Validate
}

/** `workflow`: as `compile` gives it. `world`: with which it was compiled. */
export function subjectOf(
  workflow: { readonly plan: Plan; readonly inputSchema: JsonObject },
  world: Pick<World, 'tool'>,
): Subject {
  const names = stepNames(workflow.plan)
  const validators = new Map<JsonObject, Validate>()
  const tool = (name: string): Offer | undefined => {
    const offer = world.tool(name)
    return typeof offer === 'string' ? undefined : offer
  }
  return {
    plan: workflow.plan,
    inputSchema: workflow.inputSchema,
    names,
    tool,
    keyOf: (name) => (names.find(name) || names.tools.has(name) ? name : (tool(name)?.shown ?? name)),
    fits: (schema) => {
      const validate = validators.get(schema) ?? lenient(schema)
      validators.set(schema, validate)
      return validate
    },
  }
}

function lenient(schema: JsonObject): Validate {
  try {
    return validator(schema)
  } catch {
    return () => undefined
  }
}
