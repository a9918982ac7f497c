import type { AuthoredCompositeTool } from '../../config/schema/composite.ts'
import type { JsonObject, JsonValue } from '../../model/json.ts'
import type { Plan, Scope } from '../plan.ts'
import type { ParsedTemplate } from '../template/parse.ts'
import { type CompileFault, ledger, type Ledger, type Path } from './faults.ts'
import { type Shape, UNKNOWN } from './shapes.ts'
import type { World } from './world.ts'

/** `optional`: when it gives nothing, there is nothing. */
export type Purpose = 'value' | 'optional' | 'condition'

/** A text of the definition, read as a template. */
export interface Text {
  readonly path: Path
  readonly template: ParsedTemplate
  readonly purpose: Purpose
}

/** Reads the texts of one step, or of the output. */
export interface Pen {
  readonly reading: Reading
  readonly texts: Text[]
  /** Inside of a loop: the name of the item, if the author chose one. */
  readonly loop?: { readonly itemVar: string | undefined }
}

/** What `outputMapping` gives a name to. */
export interface Variable {
  /** Place of its step in the definition. */
  readonly owner: number
  readonly at: Path
  /** A path into the output of its step, or a template. */
  readonly from: { readonly path: readonly string[] } | { readonly text: Text }
  readonly read: (scope: Scope, at: number) => JsonValue | undefined
}

export interface Compiled {
  /** Absent when there are errors. */
  readonly plan?: Plan
  readonly faults: readonly CompileFault[]
  /** Shown names of the tools that it calls, nested workflows included; as written where they are unknown. */
  readonly needs: ReadonlySet<string>
  /** Of the composite tool, for clients. */
  readonly inputSchema: JsonObject
  readonly outputSchema?: JsonObject
  /** It asks the user something, itself or inside of a nested workflow. */
  readonly asks: boolean
}

/** What all parts of one compilation share. */
export interface Reading {
  readonly world: World
  /** Compiles a workflow that runs inside of this one. */
  readonly compile: (definition: AuthoredCompositeTool, world: World, chain: readonly string[]) => Compiled
  readonly ledger: Ledger
  /** This workflow, behind those that run it. */
  readonly chain: readonly string[]
  readonly needs: Set<string>
  /** Places in the definition by id; of equal ids the first. */
  readonly ids: Map<string, number>
  /** Ids of steps inside of loops, and the id of the loop. */
  readonly inner: Map<string, string>
  readonly variables: Map<string, Variable>
  /** Ids of questions: their answers are part of their output. */
  readonly questions: Set<string>
  /** Whether a nested workflow asks. */
  readonly asks: { inside: boolean }
  /** Everything that templates reach, once all steps are read. */
  readonly roots: { shape: Shape }
}

export function startReading(world: World, chain: readonly string[], compile: Reading['compile']): Reading {
  return {
    world,
    compile,
    ledger: ledger(),
    chain,
    needs: new Set(),
    ids: new Map(),
    inner: new Map(),
    variables: new Map(),
    questions: new Set(),
    asks: { inside: false },
    roots: { shape: UNKNOWN },
  }
}
