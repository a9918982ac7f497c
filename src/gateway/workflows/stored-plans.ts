import { hash } from 'node:crypto'
import type { JsonValue } from '../../model/json.ts'
import type { WorkflowLimits } from '../../model/settings.ts'
import { compile } from '../../workflow/compile/compile.ts'
import type { Plan } from '../../workflow/plan.ts'
import { errorsIn } from './composite-status.ts'
import type { Tools } from './offers.ts'
import { readDefinition, workflowsOf } from './stored-definition.ts'
import { ToolMemo } from './tool-memo.ts'

export type Planned = { readonly plan: Plan } | { readonly faults: readonly string[] }

/** Definitions for which plans are kept. */
const MOST_DEFINITIONS = 256

/** Plans of runs that were begun before, with the tools that there are now. */
export class StoredPlans {
  readonly #limits: WorkflowLimits
  /** Many runs of one definition are planned again at once. */
  readonly #memo = new ToolMemo<Planned>(MOST_DEFINITIONS)
  readonly #names = new WeakMap<object, string>()

  constructor(limits: WorkflowLimits) {
    this.#limits = limits
  }

  /** `ended`: ids of steps that call nothing any more. */
  plan(stored: JsonValue, ended: readonly string[], tools: Tools): Planned {
    const name = this.#nameOf(stored)
    // What fits as a whole fits whatever has ended.
    const whole = this.#memo.get(name, tools, (told) => this.#compile(stored, [], told))
    if ('plan' in whole || ended.length === 0) return whole
    return this.#memo.get(JSON.stringify([name, ...ended]), tools, (told) => this.#compile(stored, ended, told))
  }

  #compile(stored: JsonValue, ended: readonly string[], tools: Tools): Planned {
    const read = readDefinition(stored)
    if ('fault' in read) return { faults: [read.fault] }
    const world = { ...tools, ...workflowsOf(read.within), limits: this.#limits, ended: new Set(ended) }
    const { plan, faults } = compile(read.tool, world)
    return plan ? { plan } : { faults: errorsIn(faults).map(({ message }) => message) }
  }

  /** Runs that begin here share one definition, those that come out of the store have equal ones. */
  #nameOf(stored: JsonValue): string {
    const name = (): string => hash('sha256', JSON.stringify(stored), 'base64url')
    if (typeof stored !== 'object' || stored === null) return name()
    const known = this.#names.get(stored) ?? name()
    this.#names.set(stored, known)
    return known
  }
}
