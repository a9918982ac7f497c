import { refuse } from './fault.ts'
import type { Action } from './scan.ts'

/** How the actions of a text are spelled. `literal`: it has none. */
export type Dialect = 'literal' | 'handlebars' | 'go'

interface Evidence {
  readonly offset: number
  readonly text: string
}

/** Words that begin an action in Go's spelling; Handlebars writes them with a sigil or not at all. */
const GO_FIRST = new Set(['if', 'with', 'range', 'end', 'define', 'template', 'block', 'break', 'continue'])

const WORD = String.raw`[\p{L}\p{N}_](?:[\p{L}\p{N}_:?$]|-(?!\s*\}))*`
const TOKENS = new RegExp(
  [
    String.raw`(?<blank>\s+)`,
    String.raw`(?<string>"(?:\\[^]|[^"\\])*"|'(?:\\[^]|[^'\\])*')`,
    String.raw`(?<raw>\u0060[^\u0060]*\u0060)`,
    String.raw`(?<assign>:=)`,
    String.raw`(?<params>as\s+\|[^|]*\|)`,
    String.raw`(?<climb>\.\.?\/|\.\.)`,
    String.raw`(?<number>-?\d+(?:\.\d+)?(?![\p{L}\p{N}_.-]))`,
    String.raw`(?<word>${WORD}(?<tail>(?:[./](?:${WORD}|\[[^\][]*\]))*)(?<equals>\s*=(?!=))?)`,
    String.raw`(?<variable>\$[^\s()|"'=,:]*)`,
    String.raw`(?<field>\.(?=[\p{L}\p{N}_[])[^\s()|"'=,]*)`,
    String.raw`(?<dot>\.)`,
    String.raw`(?<pipe>\|)`,
    String.raw`(?<data>@)`,
    String.raw`(?<other>[^])`,
  ].join('|'),
  'yu',
)

/**
 * Which spelling a text has, decided before either parser sees it: Handlebars would read `{{ eq .x "y" }}` as
 * something else than Go. What shows neither is Handlebars.
 */
export function decideDialect(actions: readonly Action[]): Dialect {
  if (actions.length === 0) return 'literal'
  let go: Evidence | undefined
  let handlebars: Evidence | undefined
  let dot = false
  for (const action of actions) {
    const found = inspect(action)
    // Behind a backslash Handlebars would not read it: it tells only of itself.
    if (action.backslashes === 1 && actions.length > 1) continue
    go ??= found.go
    handlebars ??= found.handlebars
    dot ||= found.dot
    if (go && handlebars) {
      const [first, second] = go.offset < handlebars.offset ? [go, handlebars] : [handlebars, go]
      const spelling = (one: Evidence) => (one === go ? 'Go' : 'Handlebars')
      refuse(
        `two spellings in one text: ${JSON.stringify(first.text)} at ${first.offset} is ${spelling(first)}, ` +
          `${JSON.stringify(second.text)} at ${second.offset} is ${spelling(second)}`,
        second.offset,
        `write all of it as ${spelling(first)} templates do`,
      )
    }
  }
  return go || (dot && !handlebars) ? 'go' : 'handlebars'
}

function inspect(action: Action): { go: Evidence | undefined; handlebars: Evidence | undefined; dot: boolean } {
  let go: Evidence | undefined
  let handlebars: Evidence | undefined
  let dot = false
  const marks = (left: string) => ({ offset: action.offset, text: `{{${left}` })
  if (action.left === '-' || action.right === '-') go = marks('-')
  if (action.left === '~' || action.right === '~') handlebars = marks('~')
  if (action.sigil === '//') go ??= marks('/*')
  else if (action.sigil !== '') handlebars ??= marks(action.sigil)

  TOKENS.lastIndex = 0
  let fresh = true
  let first = true
  for (let at = 0; at < action.inner.length && !(go && handlebars); at = TOKENS.lastIndex) {
    TOKENS.lastIndex = at
    const match = TOKENS.exec(action.inner)
    if (!match) break
    const is = match.groups ?? {}
    const here = { offset: action.innerAt + at, text: match[0].trim().slice(0, 60) }
    const name = is['word'] ?? ''
    if (is['raw'] ?? is['assign'] ?? is['pipe']) go ??= here
    else if (is['climb'] ?? is['data'] ?? is['params'] ?? (fresh ? is['equals'] : undefined)) handlebars ??= here
    else if (fresh && (is['variable'] ?? is['field'])) go ??= here
    else if (fresh && is['dot']) dot = true
    else if (first && action.sigil === '' && GO_FIRST.has(name)) go ??= here
    else if (fresh && is['word'] && (is['tail'] || name === 'this')) handlebars ??= here
    fresh = is['blank'] !== undefined || match[0] === '(' || is['pipe'] !== undefined || is['assign'] !== undefined
    first &&= is['blank'] !== undefined
  }
  return { go, handlebars, dot }
}
