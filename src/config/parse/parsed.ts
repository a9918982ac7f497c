import { type Fault, fileError } from '../faults.ts'
import type { Located, Position } from '../positions.ts'

/** What a file says: one value per document, without those that are empty. */
export interface Parsed {
  documents: Located[]
  faults: Fault[]
}

export const duplicateKey = (key: string, at: Position, first: Position): Fault =>
  fileError(at, `duplicate key "${key}"`, `it stands at ${first.line}:${first.column} already`)

/** As a property name it would reach into the prototype of every object. */
export const forbiddenKey = (at: Position): Fault => fileError(at, 'the key "__proto__" is not allowed')
