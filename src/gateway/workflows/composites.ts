import { compositeNames, type CompositeOffer, withComposites } from '../../aggregation/composites.ts'
import type { AuthoredCompositeTool } from '../../config/schema/composite.ts'
import type { Catalogue, Merged } from '../../model/catalogue.ts'
import type { ShownName } from '../../model/ids.ts'
import type { JsonObject, JsonValue } from '../../model/json.ts'
import type { WorkflowLimits } from '../../model/settings.ts'
import { TASKS_EXTENSION } from '../../protocol/capabilities.ts'
import type { MayHave } from './away.ts'
import { CompiledComposites, type Composite } from './compiled-composites.ts'
import { derivedHints } from './hints.ts'
import type { Tools } from './offers.ts'
import { type Planned, StoredPlans } from './stored-plans.ts'

/** A catalogue with composite tools, and how each stands in it. */
export interface Joined {
  readonly catalogue: Catalogue
  readonly composites: ReadonlyMap<string, Composite>
}

/** The composite tools of one configuration, under the names that clients call them by. */
export class Composites {
  /** Shown names by names in the configuration. */
  readonly names: ReadonlyMap<string, ShownName>
  /** The shown ones. */
  readonly reserved: ReadonlySet<string>
  readonly #definitions: ReadonlyMap<string, AuthoredCompositeTool>
  readonly #compiled: CompiledComposites
  readonly #plans: StoredPlans

  constructor(definitions: readonly AuthoredCompositeTool[], limits: WorkflowLimits) {
    this.#definitions = new Map(definitions.map((definition) => [definition.name, definition]))
    this.#compiled = new CompiledComposites(this.#definitions, limits)
    this.#plans = new StoredPlans(limits)
    this.names = compositeNames([...this.#definitions.keys()])
    this.reserved = new Set(this.names.values())
  }

  /** The catalogue with those that can be called with it. `mayHave`: who may have those tools that are not known yet. */
  joinTo(merged: Merged, tools: Tools, mayHave: MayHave = nobody): Joined {
    if (this.#definitions.size === 0) return { catalogue: merged, composites: new Map() }
    const composites = this.#compiled.with(tools, mayHave)
    const offers = [...composites.values()].map((composite) => this.#offer(composite, merged))
    return { catalogue: withTasks(withComposites(merged, this.names, offers)), composites }
  }

  /** All of them, checked against tools that are in no catalogue. */
  check(tools: Tools): readonly Composite[] {
    return [...this.#compiled.with(tools, nobody).values()]
  }

  /** The plan of a stored run with these tools. `ended`: ids of steps that call nothing any more. */
  plan(stored: JsonValue, ended: readonly string[], tools: Tools): Planned {
    return this.#plans.plan(stored, ended, tools)
  }

  #offer({ workflow, compiled, status }: Composite, merged: Merged): CompositeOffer {
    const { description, annotations } = this.#definitions.get(workflow) ?? {}
    const { inputSchema, outputSchema, needs } = compiled
    const definition: JsonObject = {
      ...(description !== undefined && { description }),
      inputSchema,
      ...(outputSchema && { outputSchema }),
      annotations: { ...derivedHints(needs, merged), ...(annotations as JsonObject | undefined) },
    }
    return { workflow, definition, ready: status.kind === 'ready' }
  }
}

const nobody: MayHave = () => []

/** Runs may become tasks, whatever the backends can do. */
function withTasks(catalogue: Catalogue): Catalogue {
  const { extensions } = catalogue
  return { ...catalogue, extensions: { [TASKS_EXTENSION]: {}, ...extensions } }
}
