import type { Era } from '../../../src/model/backend.ts'

export const ERAS = ['legacy', 'modern'] as const satisfies readonly Era[]

/** What a transport is called in ids of requirements: stdio, streamable HTTP, HTTP+SSE of 2024-11-05. */
export const WIRES = ['stdio', 'http', 'sse'] as const
export type Wire = (typeof WIRES)[number]

/** Carried, or why not, with the section of a specification (or of its reference) that says so. */
export type Status = 'carried' | { because: string; section: string }

export interface Requirement {
  /** Cited by the tests that prove it. */
  id: string
  /** What a client or a backend can observe. */
  text: string
  status: Status
}
