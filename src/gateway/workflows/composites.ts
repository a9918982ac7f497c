import { compositeNames, type CompositeOffer, withComposites } from '../../aggregation/composites.ts'
import type { AuthoredCompositeTool } from '../../config/schema/composite.ts'
import type { Catalogue, Merged } from '../../model/catalogue.ts'
import type { ShownName } from '../../model/ids.ts'
import type { JsonObject, JsonValue } from '../../model/json.ts'
import type { WorkflowLimits } from '../../model/settings.ts'
import { TASKS_EXTENSION } from '../../protocol/capabilities.ts'
import { compile } from '../../workflow/compile/compile.ts'
import type { Compiled } from '../../workflow/compile/reading.ts'
import type { Offer, World } from '../../workflow/compile/world.ts'
import type { Telemetry } from '../../telemetry/events.ts'
import { derivedHints } from './hints.ts'
import type { Tools } from './offers.ts'

/** A composite tool as some callers have it. */
export interface Composite {
  readonly workflow: string
  readonly compiled: Compiled
  /** What a run of it is made of, for the store: the definition, and those that it runs. */
  readonly definition: JsonValue
  /** Why it cannot be called; absent: it can. `waiting`: a backend has not told its tools yet. */
  readonly away?: Away
}

interface Away {
  readonly waiting: boolean
  readonly why: string
  /** For the operator: it may name tools that the caller does not see. */
  readonly hint?: string
}

/** Different catalogues for which one composite tool is kept compiled. */
const MAX_VARIANTS = 8

interface Variant {
  readonly composite: Composite
  /** What its check has been told of tools. It holds as long as it would be told the same. */
  readonly asked: ReadonlyMap<string, Answer>
  /** How many tools there were: hints of what is wrong name some of them. */
  readonly known: number
}

type Answer = ReturnType<World['tool']>

/** The composite tools of one configuration, checked against whatever tools there are. */
export class Composites {
  /** Shown names by names in the configuration. */
  readonly names: ReadonlyMap<string, ShownName>
  /** The shown ones. */
  readonly reserved: ReadonlySet<string>
  readonly #definitions: ReadonlyMap<string, AuthoredCompositeTool>
  readonly #limits: WorkflowLimits
  readonly #variants = new Map<string, Variant[]>()
  readonly #stored = new Map<string, JsonValue>()
  readonly #told = new Map<string, string>()
  readonly #checked = new WeakMap<Catalogue, ReadonlyMap<string, Composite>>()

  constructor(definitions: readonly AuthoredCompositeTool[], limits: WorkflowLimits) {
    this.#definitions = new Map(definitions.map((definition) => [definition.name, definition]))
    this.#limits = limits
    this.names = compositeNames([...this.#definitions.keys()])
    this.reserved = new Set(this.names.values())
  }

  /** The catalogue with those that can be called with it. */
  joinTo(merged: Merged, tools: Tools): Catalogue {
    if (this.#definitions.size === 0) return merged
    const composites = new Map([...this.#definitions].map(([name]) => [name, this.#check(name, tools)]))
    const offers = [...composites.values()].map((composite) => this.#offer(composite, merged))
    const catalogue = withTasks(withComposites(merged, this.names, offers))
    this.#checked.set(catalogue, composites)
    return catalogue
  }

  /** Tells what has become of each since it was told last. `early`: those that wait may not have to wait for long. */
  tell(catalogue: Catalogue, telemetry: Telemetry, early: boolean): void {
    for (const [workflow, { away }] of this.of(catalogue)) {
      if (early && away?.waiting) continue
      const before = this.#told.get(workflow)
      const now = away?.why ?? ''
      this.#told.set(workflow, now)
      if (before === now) continue
      if (away) telemetry.emit('workflow.withdrawn', { workflow, ...away })
      else if (before !== undefined) telemetry.emit('workflow.offered', { workflow })
    }
  }

  /** As they are in a catalogue that `joinTo` made. */
  of(catalogue: Catalogue): ReadonlyMap<string, Composite> {
    return this.#checked.get(catalogue) ?? NONE
  }

  /** All of them, checked against tools that are in no catalogue. */
  check(tools: Tools): readonly Composite[] {
    return [...this.#definitions.keys()].map((name) => this.#check(name, tools))
  }

  /** The plan of a stored run with these tools. `ended`: ids of steps that call nothing any more. */
  planAgain(stored: JsonValue, ended: readonly string[], tools: Tools): ReturnType<typeof planOf> {
    const { tool, within } = stored as unknown as StoredDefinition
    const definitions = new Map(within.map((one) => [one.name, one]))
    const world = { ...tools, ...workflowsOf(definitions), limits: this.#limits, ended: new Set(ended) }
    return planOf(compile(tool, world))
  }

  #check(name: string, tools: Tools): Composite {
    const variants = this.#variants.get(name) ?? []
    this.#variants.set(name, variants)
    const known = count(tools.tools())
    const same = variants.find(
      (variant) =>
        (variant.composite.compiled.plan !== undefined || variant.known === known) &&
        [...variant.asked].every(([tool, answer]) => isSame(tools.tool(tool), answer)),
    )
    if (same) return same.composite
    const variant = { ...this.#compile(name, tools), known }
    variants.unshift(variant)
    variants.length = Math.min(variants.length, MAX_VARIANTS)
    return variant.composite
  }

  #compile(name: string, tools: Tools): Omit<Variant, 'known'> {
    const asked = new Map<string, Answer>()
    const tool = (wanted: string): Answer => {
      const answer = tools.tool(wanted)
      asked.set(wanted, answer)
      return answer
    }
    const definition = this.#definitions.get(name) as AuthoredCompositeTool
    const world = { tools: tools.tools, tool, ...workflowsOf(this.#definitions), limits: this.#limits }
    const compiled = compile(definition, world)
    const away = awayBecause(definition, compiled, asked)
    const composite = { workflow: name, compiled, definition: this.#storable(definition), ...(away && { away }) }
    return { composite, asked }
  }

  /** One object for all runs of a definition. */
  #storable(definition: AuthoredCompositeTool): JsonValue {
    const { name } = definition
    const made = this.#stored.get(name) ?? storedDefinition(definition, this.#definitions)
    this.#stored.set(name, made)
    return made
  }

  #offer({ workflow, compiled, away }: Composite, merged: Merged): CompositeOffer {
    const { description, annotations } = this.#definitions.get(workflow) ?? {}
    const { inputSchema, outputSchema, needs } = compiled
    const definition: JsonObject = {
      ...(description !== undefined && { description }),
      inputSchema,
      ...(outputSchema && { outputSchema }),
      annotations: { ...derivedHints(needs, merged), ...(annotations as JsonObject | undefined) },
    }
    return { workflow, definition, offered: away === undefined }
  }
}

const NONE: ReadonlyMap<string, Composite> = new Map()

/** Runs may become tasks, whatever the backends can do. */
function withTasks(catalogue: Catalogue): Catalogue {
  const { extensions } = catalogue
  return { ...catalogue, extensions: { [TASKS_EXTENSION]: {}, ...extensions } }
}

/** As it lies in the store. */
interface StoredDefinition {
  tool: AuthoredCompositeTool
  /** Those that it runs, directly or not. */
  within: readonly AuthoredCompositeTool[]
}

function storedDefinition(
  tool: AuthoredCompositeTool,
  definitions: ReadonlyMap<string, AuthoredCompositeTool>,
): JsonValue {
  const within = new Map<string, AuthoredCompositeTool>()
  const collect = ({ steps }: AuthoredCompositeTool): void => {
    for (const name of steps.flatMap((step) => [step.workflow, step.step?.workflow])) {
      const inner = name === undefined || within.has(name) ? undefined : definitions.get(name)
      if (!inner) continue
      within.set(inner.name, inner)
      collect(inner)
    }
  }
  collect(tool)
  const stored: StoredDefinition = { tool, within: [...within.values()] }
  return stored as unknown as JsonValue
}

const workflowsOf = (
  definitions: ReadonlyMap<string, AuthoredCompositeTool>,
): Pick<World, 'workflow' | 'workflows'> => ({
  workflow: (name) => definitions.get(name),
  workflows: () => definitions.keys(),
})

function planOf({ plan, faults }: Compiled) {
  if (plan) return { plan }
  return { faults: faults.filter(({ severity }) => severity === 'error').map(({ message }) => message) }
}

function awayBecause(
  { steps }: AuthoredCompositeTool,
  compiled: Compiled,
  asked: ReadonlyMap<string, Answer>,
): Away | undefined {
  const [first, ...more] = compiled.faults.filter(({ severity }) => severity === 'error')
  if (first) {
    const rest = more.length === 0 ? '' : ` (and ${more.length} more)`
    const [root, index, ...key] = first.path
    const step = root === 'steps' ? steps[Number(index)] : undefined
    const where = step ? `step "${step.id}"${key.length === 0 ? '' : `, ${key.join('.')}`}` : first.path.join('.')
    const why = `${where}: ${first.message}${rest}`
    return { waiting: false, why, ...(first.hint !== undefined && { hint: first.hint }) }
  }
  const unknown = [...asked].flatMap(([name, answer]) => (answer === 'not known yet' ? [`"${name}"`] : []))
  if (unknown.length === 0) return undefined
  return { waiting: true, why: `nobody has told yet what ${unknown.join(', ')} takes: a backend has not answered` }
}

function count(names: Iterable<string>): number {
  let total = 0
  for (const _ of names) total++
  return total
}

/** Definitions are made anew with each catalogue; what their backends have sent is not. */
function isSame(now: Answer, then: Answer): boolean {
  if (typeof now === 'string' || typeof then === 'string') return now === then
  return now.shown === then.shown && SCHEMAS.every((key) => now[key] === then[key]) && readOnly(now) === readOnly(then)
}

const SCHEMAS = ['inputSchema', 'outputSchema'] as const
const readOnly = ({ annotations }: Offer): unknown => annotations?.['readOnlyHint']
