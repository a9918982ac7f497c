import type { AuthoredCompositeTool } from '../../config/schema/composite.ts'
import type { JsonObject } from '../../model/json.ts'
import type { WorkflowLimits } from '../../model/settings.ts'

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
  /**
   * By shown name, the name it would have, or `backend.tool`. `not known yet`: its backend has not told its tools. `unasked`:
   * nobody has asked it.
   */
  readonly tool: (name: string) => Offer | 'unknown' | 'not known yet' | 'unasked'
  /** Names for hints. */
  readonly tools: () => Iterable<string>
  /** The composite tool of that name. */
  readonly workflow: (name: string) => AuthoredCompositeTool | undefined
  /** Names for hints. */
  readonly workflows: () => Iterable<string>
  readonly limits: WorkflowLimits
  /** Ids of steps that have ended already: what they call does not matter any more. */
  readonly ended?: ReadonlySet<string>
}
