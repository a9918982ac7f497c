import { refuse } from './fault.ts'
import { MAX_DEPTH } from './tree.ts'

/** `{{ ... }}` as it stands in the text, not yet read. */
export interface Action {
  readonly kind: 'action'
  readonly offset: number
  readonly end: number
  /** What follows the braces and the trimming mark: `//` is Go's comment. */
  readonly sigil: '' | '#' | '/' | '^' | '!' | '>' | '{' | '&' | '*' | '//'
  /** Without braces, sigil and trimming marks. */
  readonly inner: string
  readonly innerAt: number
  readonly left: Trim
  readonly right: Trim
  /** Backslashes right before it, at most 2. */
  readonly backslashes: number
}
export interface Text {
  readonly kind: 'text'
  readonly text: string
}
/** `~` is how Handlebars trims, `-` with a blank beside it is how Go does. */
type Trim = '' | '~' | '-'

/** The parser of Handlebars needs time that grows with the square of an action's length. */
const MAX_ACTION = 16_384

const SIGILS = new Set(['#', '/', '^', '>', '&', '{', '*'])
const BLANK = /\s/u
const isBlank = (char: string | undefined): boolean => char !== undefined && BLANK.test(char)

/** Cuts a text into actions and what is between them; there is a text, if an empty one, around each action. Linear. */
export function scan(source: string): (Text | Action)[] {
  const pieces: (Text | Action)[] = []
  let from = 0
  for (;;) {
    const open = source.indexOf('{{', from)
    pieces.push({ kind: 'text', text: source.slice(from, open === -1 ? undefined : open) })
    if (open === -1) return pieces
    const action = readAction(source, open, from)
    pieces.push(action)
    from = action.end
  }
}

function readAction(source: string, open: number, textFrom: number): Action {
  if (source.startsWith('{{{{', open)) refuse('raw blocks are not known here', open, 'write a literal {{ as {{ "{{" }}')
  let at = open + 2
  let left: Trim = ''
  if (source[at] === '~') left = '~'
  else if (source[at] === '-' && isBlank(source[at + 1])) left = '-'
  if (left !== '') at += 1

  const start = { kind: 'action' as const, offset: open, left, backslashes: backslashes(source, open, textFrom) }
  const comment = readComment(source, open, at)
  if (comment) return { ...start, ...comment }

  const first = source[at] ?? ''
  const sigil = (SIGILS.has(first) ? first : '') as Action['sigil']
  const innerAt = at + sigil.length
  const close = findClose(source, open, innerAt)
  if (sigil === '{') {
    const triple = /\}(~?)\}\}/y
    triple.lastIndex = close
    const match = triple.exec(source)
    if (!match) refuse('"{{{" is not closed by "}}}"', open, 'where "{" is text, put a blank between it and "{{"')
    const right: Trim = match[1] === '~' ? '~' : ''
    return { ...start, sigil, inner: source.slice(innerAt, close), innerAt, right, end: close + match[0].length }
  }
  let innerEnd = close
  let right: Trim = ''
  if (source[close - 1] === '~') right = '~'
  else if (source[close - 1] === '-' && close - 1 > innerAt && isBlank(source[close - 2])) right = '-'
  if (right !== '') innerEnd -= 1
  return { ...start, sigil, inner: source.slice(innerAt, Math.max(innerAt, innerEnd)), innerAt, right, end: close + 2 }
}

function backslashes(source: string, open: number, from: number): number {
  if (open - 1 < from || source[open - 1] !== '\\') return 0
  return open - 2 >= from && source[open - 2] === '\\' ? 2 : 1
}

type Rest = Pick<Action, 'sigil' | 'inner' | 'innerAt' | 'right' | 'end'>

function readComment(source: string, open: number, at: number): Rest | undefined {
  if (source[at] === '!') {
    const end = source.startsWith('!--', at) ? /--(~?)\}\}/g : /(~?)\}\}/g
    // From the second dash on: in `{{!--}}` the opening dashes are the closing ones.
    end.lastIndex = at + 1
    const match = end.exec(source)
    if (!match) refuse('this comment is not closed', open)
    const right: Trim = match[1] === '~' ? '~' : ''
    return { sigil: '!', inner: '', innerAt: at + 1, right, end: match.index + match[0].length }
  }
  let star = at
  while (isBlank(source[star])) star += 1
  if (!source.startsWith('/*', star)) return undefined
  const close = source.indexOf('*/', star + 2)
  const end = /(\s*-|\s*)\}\}/y
  end.lastIndex = close + 2
  const match = close === -1 ? undefined : end.exec(source)
  if (!match) refuse('this comment is not closed', open, 'a comment ends with */}}')
  const right: Trim = match[1]?.endsWith('-') ? '-' : ''
  return { sigil: '//', inner: '', innerAt: star, right, end: end.lastIndex }
}

/** Where the `}}` (with a triple opening: `}}}`) of an action is: not one inside of quotes. */
function findClose(source: string, open: number, from: number): number {
  let depth = 0
  const most = Math.min(source.length, from + MAX_ACTION)
  for (let at = from; at < most; at += 1) {
    const char = source[at]
    if (char === '"' || char === "'" || char === '`') at = endOfQuote(source, at, char)
    else if (char === '(') depth += 1
    else if (char === ')') depth -= 1
    else if (char === '}' && (source[at + 1] === '}' || source.startsWith('}~}}', at))) return at
    else if (char === '{' && source[at + 1] === '{') break
    if (depth > MAX_DEPTH) refuse(`parentheses are nested more than ${MAX_DEPTH} deep`, at)
  }
  if (most < source.length && most === from + MAX_ACTION)
    refuse(`an action of more than ${MAX_ACTION} characters`, open)
  return refuse('"{{" is not closed by "}}"', open, 'write a literal {{ as {{ "{{" }}')
}

function endOfQuote(source: string, from: number, quote: string): number {
  for (let at = from + 1; at < source.length; at += 1) {
    if (source[at] === quote) return at
    if (source[at] === '\\' && quote !== '`') at += 1
  }
  return refuse(`this quote (${quote}) is not closed`, from)
}
