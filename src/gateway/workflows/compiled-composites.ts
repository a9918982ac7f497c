import type { AuthoredCompositeTool } from '../../config/schema/composite.ts'
import type { JsonValue } from '../../model/json.ts'
import type { WorkflowLimits } from '../../model/settings.ts'
import { compile } from '../../workflow/compile/compile.ts'
import type { Compiled } from '../../workflow/compile/reading.ts'
import type { MayHave } from './away.ts'
import { type CompositeStatus, fitOf, waitingFor } from './composite-status.ts'
import type { Tools } from './offers.ts'
import { storedDefinition, workflowsOf } from './stored-definition.ts'
import { ToolMemo } from './tool-memo.ts'

/** A composite tool as some callers have it. */
export interface Composite {
  readonly workflow: string
  readonly compiled: Compiled
  /** What a run of it is made of, for the store. */
  readonly definition: JsonValue
  readonly status: CompositeStatus
}

/** One as far as it depends on nothing but the tools, and what nobody has told yet of those. */
type Checked =
  | { readonly composite: Composite }
  | { readonly part: Omit<Composite, 'status'>; unknown: readonly string[] }

/** The composite tools of one configuration, checked against whatever tools there are. */
export class CompiledComposites {
  readonly #definitions: ReadonlyMap<string, AuthoredCompositeTool>
  readonly #limits: WorkflowLimits
  readonly #memo = new ToolMemo<Checked>()
  readonly #stored = new Map<string, JsonValue>()

  constructor(definitions: ReadonlyMap<string, AuthoredCompositeTool>, limits: WorkflowLimits) {
    this.#definitions = definitions
    this.#limits = limits
  }

  /** All of them, by name. `mayHave`: who may have those tools that are not known yet. */
  with(tools: Tools, mayHave: MayHave): ReadonlyMap<string, Composite> {
    return new Map([...this.#definitions].map(([name, definition]) => [name, this.#one(definition, tools, mayHave)]))
  }

  #one(definition: AuthoredCompositeTool, tools: Tools, mayHave: MayHave): Composite {
    const checked = this.#check(definition, tools)
    if ('composite' in checked) return checked.composite
    return { ...checked.part, status: waitingFor(checked.unknown, mayHave) }
  }

  #check(definition: AuthoredCompositeTool, tools: Tools): Checked {
    const { name: workflow } = definition
    return this.#memo.get(workflow, tools, (told, asked) => {
      const compiled = compile(definition, { ...told, ...workflowsOf(this.#definitions), limits: this.#limits })
      const part = { workflow, compiled, definition: this.#storable(definition) }
      const fit = fitOf(definition, compiled, asked)
      return 'status' in fit ? { composite: { ...part, ...fit } } : { part, ...fit }
    })
  }

  /** One object for all runs of a definition. */
  #storable(definition: AuthoredCompositeTool): JsonValue {
    const { name } = definition
    const made = this.#stored.get(name) ?? storedDefinition(definition, this.#definitions)
    this.#stored.set(name, made)
    return made
  }
}
