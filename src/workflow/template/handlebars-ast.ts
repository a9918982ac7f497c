import { parseWithoutProcessing } from '@handlebars/parser'

/**
 * What the parser of Handlebars makes of the words of an action. Its own declarations cannot be resolved from
 * an ES module; these are the parts that are read here.
 */
export interface Location {
  readonly start: { readonly line: number; readonly column: number }
}
interface Of<Type extends string> {
  readonly type: Type
  readonly loc: Location
}
export interface Hash extends Of<'Hash'> {}
export interface PathWord extends Of<'PathExpression'> {
  /** It starts with `@`. */
  readonly data: boolean
  /** How many `../` it starts with. */
  readonly depth: number
  readonly parts: readonly (string | CallWord)[]
  readonly original: string
}
interface CallWord extends Of<'SubExpression'> {
  readonly path: Word
  readonly params: readonly Word[]
  readonly hash?: Hash
}
export type Word =
  | PathWord
  | CallWord
  | (Of<'StringLiteral'> & { readonly value: string })
  | (Of<'BooleanLiteral'> & { readonly value: boolean })
  | (Of<'NumberLiteral'> & { readonly value: number })
  | Of<'NullLiteral'>
  | Of<'UndefinedLiteral'>
  | Of<'HashLiteral'>
  | Of<'ArrayLiteral'>

export interface Block {
  readonly params: readonly Word[]
  readonly hash?: Hash
  readonly program: { readonly blockParams?: readonly string[] }
}

/** Reads a text that is one block. Throws `ParserError`. Without the library's trimming, which takes quadratic time. */
export function parseBlock(text: string): Block {
  const program = parseWithoutProcessing(text) as unknown as { readonly body: readonly [Block] }
  return program.body[0]
}

export interface ParserError extends Error {
  /** Of a fault in the grammar: what was met, and where the last thing was that was understood. */
  readonly hash?: {
    readonly token?: string | number | null
    readonly loc?: { readonly last_line: number; readonly last_column: number }
  }
  readonly lineNumber?: number
  readonly column?: number
}
