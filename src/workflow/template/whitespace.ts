import type { Dialect } from './dialect.ts'
import type { Action, Text } from './scan.ts'

type Pieces = readonly (Text | Action)[]

/** Handlebars shows what stands behind a single backslash as it is written. */
export const isEscaped = (action: Action, dialect: Dialect): boolean =>
  dialect === 'handlebars' && action.backslashes === 1

/**
 * The text at a place, without what the actions beside it trim: their marks, and in Handlebars the rest of a line
 * on which nothing but a block's tag or a comment stands. By hand: patterns for it take quadratic time.
 */
export function trimmed(pieces: Pieces, at: number, dialect: Dialect): string {
  const piece = pieces[at]
  if (piece?.kind !== 'text') return ''
  const { text } = piece
  const before = actionAt(pieces, at - 1)
  const after = actionAt(pieces, at + 1)
  let start = 0
  let end = text.length
  if (before && !isEscaped(before, dialect)) {
    if (before.right !== '') start = text.length - text.trimStart().length
    else if (standsAlone(pieces, at - 1, dialect)) start = blankStart(text)
  }
  if (after && dialect === 'handlebars' && after.backslashes > 0) end -= 1
  else if (after && after.left !== '') end = text.trimEnd().length
  else if (after && standsAlone(pieces, at + 1, dialect)) end = blankEnd(text)
  return text.slice(start, Math.max(start, end))
}

function actionAt(pieces: Pieces, at: number): Action | undefined {
  const piece = pieces[at]
  return piece?.kind === 'action' ? piece : undefined
}

const BLOCK_SIGILS = new Set(['#', '/', '^', '!'])

function standsAlone(pieces: Pieces, at: number, dialect: Dialect): boolean {
  const action = actionAt(pieces, at)
  if (!action || dialect !== 'handlebars' || action.backslashes > 0) return false
  const isBlock = BLOCK_SIGILS.has(action.sigil) || (action.sigil === '' && /^\s*else(?:\s|$)/u.test(action.inner))
  if (!isBlock) return false
  const before = pieces[at - 1]
  const after = pieces[at + 1]
  if (before?.kind !== 'text' || after?.kind !== 'text') return false
  const left = blankEnd(before.text)
  const right = blankStart(after.text)
  const startsLine = left === 0 ? at === 1 : before.text[left - 1] === '\n'
  const endsLine =
    right === after.text.length && after.text[right - 1] !== '\n'
      ? at === pieces.length - 2
      : after.text[right - 1] === '\n'
  return startsLine && endsLine
}

const isBlank = (char: string | undefined): boolean => char === ' ' || char === '\t'

/** Behind the blanks at the start, and the end of line if one follows. */
function blankStart(text: string): number {
  let at = 0
  while (isBlank(text[at])) at += 1
  if (text[at] === '\n') return at + 1
  return text[at] === '\r' && text[at + 1] === '\n' ? at + 2 : at
}

/** In front of the blanks at the end. */
function blankEnd(text: string): number {
  let at = text.length
  while (isBlank(text[at - 1])) at -= 1
  return at
}
