import type { AuthoredCompositeTool } from '../../config/schema/composite.ts'
import type { JsonObject } from '../../model/json.ts'

/** A tool as steps may call it. */
export interface Offer {
  /** The name that clients see, or that it would have if it were not filtered. */
  readonly shown: string
  readonly inputSchema: JsonObject
  readonly outputSchema?: JsonObject
  /** Only hints that are trusted. */
  readonly annotations?: JsonObject
  readonly backend?: string
}

/** What a definition is checked against. */
export interface World {
  /** By shown name, the name it would have, or `backend.tool`. `not known yet`: its backend has not told its tools. */
  readonly tool: (name: string) => Offer | 'unknown' | 'not known yet'
  /** Names for hints. */
  readonly tools: () => Iterable<string>
  /** The composite tool of that name. */
  readonly workflow: (name: string) => AuthoredCompositeTool | undefined
  /** Names for hints. */
  readonly workflows: () => Iterable<string>
  readonly limits: Limits
}

export interface Limits {
  readonly steps: number
  /** Steps, or iterations of a loop, at once. */
  readonly parallel: number
  readonly iterations: number
  /** Workflows within workflows, the outermost counted. */
  readonly depth: number
  /** Longest time of a run that says nothing else, milliseconds. */
  readonly runMs: number
  /** Longest time of a step that says nothing else, milliseconds. */
  readonly stepMs: number
}

export const DEFAULT_LIMITS: Limits = {
  steps: 100,
  parallel: 10,
  iterations: 1000,
  depth: 5,
  runMs: 30 * 60_000,
  stepMs: 5 * 60_000,
}
