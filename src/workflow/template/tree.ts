import type { JsonValue } from '../../model/json.ts'

/** A member's name, or an item's place. A whole number also finds a member of that name. */
export type Key = string | number

/** Where a path starts. `label` is how messages write it; the scope itself has none. */
export type Base =
  | { readonly from: 'scope'; readonly label: string }
  /** What `.` or `this` is, so many blocks further out. */
  | { readonly from: 'context'; readonly up: number; readonly label: string }
  | { readonly from: 'slot'; readonly slot: number; readonly label: string }
  | { readonly from: 'value'; readonly value: Expression; readonly label: string }

interface Common {
  /** UTF-16 units from the start of the template. */
  readonly offset: number
  /** Levels of expressions inside. */
  readonly depth: number
}
export interface Literal extends Common {
  readonly kind: 'literal'
  readonly value: JsonValue
}
export interface Path extends Common {
  readonly kind: 'path'
  readonly base: Base
  readonly keys: readonly Key[]
}
export interface Call extends Common {
  readonly kind: 'call'
  /** A name of `HELPERS`; the number of arguments fits it. */
  readonly helper: string
  readonly args: readonly Expression[]
}
export type Expression = Literal | Path | Call

export interface Branch {
  readonly test: Expression
  /** Variable that holds what was tested. */
  readonly slot?: number
  readonly body: Node[]
}

/** Variables that a loop sets for each item. */
export interface LoopSlots {
  item?: number
  /** Place in a list, name in an object. */
  key?: number
  /** Place, in objects too. */
  index?: number
  first?: number
  last?: number
}

export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'output'; readonly value: Expression }
  | { readonly kind: 'set'; readonly slot: number; readonly value: Expression }
  | { readonly kind: 'if'; readonly branches: Branch[]; readonly otherwise: Node[] }
  | {
      readonly kind: 'each'
      readonly list: Expression
      readonly slots: LoopSlots
      readonly body: Node[]
      readonly otherwise: Node[]
      hasElse: boolean
    }
  | {
      readonly kind: 'with'
      readonly value: Expression
      readonly slot?: number
      readonly body: Node[]
      readonly otherwise: Node[]
    }
  | { readonly kind: 'break' }
  | { readonly kind: 'continue' }

/** Both spellings in one form. */
export interface Tree {
  readonly nodes: readonly Node[]
  /** How many variables there are. */
  readonly slots: number
}

/** Of expressions in expressions, and of blocks in blocks. */
export const MAX_DEPTH = 100
/** Members behind each other in one path. */
export const MAX_KEYS = 100
