import { toKey } from './calls.ts'
import { refuse } from './fault.ts'
import type { Key } from './tree.ts'

export interface Token {
  readonly type: 'field' | 'dot' | 'variable' | 'word' | 'number' | 'string' | 'declare' | 'assign' | 'mark' | 'end'
  readonly text: string
  /** Of a field: its name or place. */
  readonly key: Key
  readonly offset: number
  /** It touches the token before it. */
  readonly joined: boolean
}

const NAME = String.raw`[\p{L}\p{N}_]+(?:-+[\p{L}\p{N}_]+)*`
const QUOTED = String.raw`"(?:\\[^]|[^"\\])*"|'(?:\\[^]|[^'\\])*'`
const RULES = new RegExp(
  [
    String.raw`(?<blank>\s+)`,
    String.raw`\.?\[(?:(?<place>\d+)|(?<member>${QUOTED}))\]`,
    String.raw`\.(?<field>${NAME})`,
    String.raw`(?<dot>\.)`,
    String.raw`(?<variable>\$[\p{L}\p{N}_]*)`,
    String.raw`(?<number>[+-]?\d[\p{L}\p{N}_.]*(?:(?<=[eE])[+-]\d+)?)`,
    String.raw`(?<word>${NAME})`,
    String.raw`(?<string>${QUOTED}|\u0060[^\u0060]*\u0060)`,
    String.raw`(?<declare>:=)`,
    String.raw`(?<assign>=(?!=))`,
    String.raw`(?<mark>[()|,])`,
  ].join('|'),
  'yu',
)

/** Cuts what is inside of an action into tokens; the last one is `end`. Linear. */
export function lex(inner: string, innerAt: number): Token[] {
  const tokens: Token[] = []
  let joined = false
  for (let at = 0; at < inner.length; at = RULES.lastIndex) {
    RULES.lastIndex = at
    const match = RULES.exec(inner)
    const offset = innerAt + at
    if (!match) return refuse(`${JSON.stringify(character(inner, at))} means nothing here`, offset, hintAt(inner, at))
    const is = match.groups ?? {}
    if (is['blank'] !== undefined) {
      joined = false
      continue
    }
    tokens.push({ ...read(is, match[0], offset), offset, joined })
    joined = true
  }
  tokens.push({ type: 'end', text: 'the end', key: '', offset: innerAt + inner.length, joined: false })
  return tokens
}

function read(
  is: Record<string, string | undefined>,
  text: string,
  offset: number,
): Pick<Token, 'type' | 'text' | 'key'> {
  if (is['place'] !== undefined) return { type: 'field', text, key: toKey(is['place']) }
  if (is['member'] !== undefined) return { type: 'field', text, key: unquote(is['member'], offset) }
  if (is['field'] !== undefined) return { type: 'field', text, key: toKey(is['field']) }
  if (is['string'] !== undefined) return { type: 'string', text: unquote(is['string'], offset), key: '' }
  for (const type of ['dot', 'variable', 'number', 'word', 'declare', 'assign', 'mark'] as const) {
    if (is[type] !== undefined) return { type, text, key: '' }
  }
  return refuse(`${text} cannot be read`, offset)
}

const character = (inner: string, at: number): string => String.fromCodePoint(inner.codePointAt(at) ?? 0)

function hintAt(inner: string, at: number): string | undefined {
  const two = inner.slice(at, at + 2)
  if (two === '==') return 'write: eq a b'
  if (two === '!=') return 'write: ne a b'
  if (two === '&&' || two === '||') return `write: ${two === '&&' ? 'and' : 'or'} a b`
  if ('+-*/%<>!'.includes(two[0] ?? ' ')) return 'write add, sub, mul, div, mod, lt, gt, not: add a b'
  return undefined
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
}
const ESCAPE = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{3})|([^]))/gu

/** Go's escapes; a text in backquotes has none. */
function unquote(quoted: string, offset: number): string {
  const inside = quoted.slice(1, -1)
  if (quoted.startsWith('`')) return inside
  return inside.replace(ESCAPE, (whole, x, u, long, octal, simple) => {
    if (simple !== undefined) {
      return (
        ESCAPES[String(simple)] ??
        refuse(`there is no escape ${whole}`, offset, 'write the text in backquotes, which have none')
      )
    }
    const code = octal === undefined ? Number.parseInt(String(x ?? u ?? long), 16) : Number.parseInt(String(octal), 8)
    return code <= 0x10ffff ? String.fromCodePoint(code) : refuse(`there is no character ${whole}`, offset)
  })
}
