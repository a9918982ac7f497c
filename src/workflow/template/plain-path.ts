import type { PathWord } from './handlebars-ast.ts'

const PLAIN = /^([ \t]*)([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)[ \t]*$/
/** Names that the grammar takes for something else. */
const TAKEN = new Set(['this', 'true', 'false', 'null', 'undefined', 'else', 'as'])

/**
 * A path of plain names, which is what most actions are: as the parser reads it, whose tables take a hundred times as
 * long. `undefined`: it is something else. `column`: where `inner` stands in the text that the parser would get.
 */
export function plainPath(inner: string, column: number): PathWord | undefined {
  const [, blank = '', original] = PLAIN.exec(inner) ?? []
  const parts = original?.split('.')
  if (original === undefined || !parts || parts.some((part) => TAKEN.has(part))) return undefined
  const loc = { start: { line: 1, column: column + blank.length } }
  return { type: 'PathExpression', data: false, depth: 0, parts, original, loc }
}
