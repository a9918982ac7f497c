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
  /** Where the tests are that prove it, when they are not beside this table: they need not cite it. */
  proof?: { file: string; test: RegExp }
}

/** A row that tests of `test/e2e` prove: at least one of this name, and every one of them has to pass. */
export const elsewhere = (id: string, text: string, file: string, test: RegExp): Requirement => ({
  id,
  text,
  status: 'carried',
  proof: { file: `test/e2e/${file}.test.ts`, test },
})
