/** Brackets within brackets that a policy may have. */
export const MAX_NESTING = 50
/** Brackets and chained operators on one path: each takes stack of the engine, which traps when it ends. */
export const MAX_DEPTH = 100
/** Characters of one policy. */
export const MAX_LENGTH = 100_000

/** One policy of a text that may hold several. Offsets are UTF-16. */
interface Piece {
  text: string
  offset: number
}

export type Scan =
  | { kind: 'pieces'; pieces: Piece[] }
  | { kind: 'fault'; offset: number; message: string; hint: string }

interface Level {
  /** Operators of the operand chain that is being read. */
  chain: number
  /** Dots since the last operator. */
  dots: number
  /** Deepest bracket within that chain. */
  inner: number
  /** Deepest finished chain of this level. */
  done: number
}

const level = (): Level => ({ chain: 0, dots: 0, inner: 0, done: 0 })
const depthOf = (one: Level): number => Math.max(one.done, one.chain + Math.max(one.dots, one.inner))

const BLANK = /^(?:\s|\/\/[^\n]*(?:\n|$))*$/u
const TOKEN = /"(?:[^"\\]|\\[\s\S])*(?:"|$)|\/\/[^\n]*|[()[\]{}]|&&|\|\||[-+*.,;]|[<>!=]=?|\b(?:if|when|unless)\b/gu

/**
 * Splits a text at the ends of its policies and refuses what is nested too deeply for the engine. It knows quotes and
 * comments and no other grammar: what is no policy, the engine says.
 */
export function scan(text: string): Scan {
  const pieces: Piece[] = []
  let start = 0
  let stack: Level[] = [level()]
  const fault = (offset: number, message: string, hint: string): Scan => ({ kind: 'fault', offset, message, hint })
  for (const found of text.matchAll(TOKEN)) {
    const token = found[0]
    const at = found.index
    const top = stack.at(-1) ?? level()
    switch (token) {
      case '(':
      case '[':
      case '{':
        stack.push(level())
        if (stack.length - 1 > MAX_NESTING)
          return fault(at, `nested more than ${MAX_NESTING} deep`, 'split it into several policies')
        break
      case ')':
      case ']':
      case '}':
        if (stack.length > 1) {
          stack.pop()
          const outer = stack.at(-1)
          if (outer) outer.inner = Math.max(outer.inner, depthOf(top) + 1)
        }
        break
      case '&&':
      case '||':
      case '+':
      case '-':
      case '*':
      case 'if':
      case 'when':
      case 'unless':
        top.chain++
        top.dots = 0
        break
      case '.':
        top.dots++
        break
      case ',':
        top.done = depthOf(top)
        top.chain = top.dots = top.inner = 0
        break
      case ';':
        pieces.push({ text: text.slice(start, at + 1), offset: start })
        start = at + 1
        stack = [level()]
        break
      default:
        // Comparisons do not chain; quotes and comments are passed over.
        top.dots = 0
    }
    if (stack.reduce((sum, one) => sum + depthOf(one), stack.length) > MAX_DEPTH)
      return fault(
        at,
        `more than ${MAX_DEPTH} operators and brackets within one another`,
        'write long alternatives as a set, ["a", "b"].contains(x) or x in [...], or as several policies',
      )
  }
  const rest = text.slice(start)
  if (!BLANK.test(rest)) pieces.push({ text: rest, offset: start })
  const long = pieces.find((piece) => piece.text.length > MAX_LENGTH)
  if (long)
    return fault(
      long.offset,
      `a policy of ${long.text.length} characters; ${MAX_LENGTH} is the most`,
      'split it into several policies',
    )
  return { kind: 'pieces', pieces }
}

/** Offset in UTF-16 of an offset in UTF-8, which is how the engine counts. */
export function utf16Offset(text: string, bytes: number): number {
  let seen = 0
  let offset = 0
  for (const character of text) {
    if (seen >= bytes) break
    seen += Buffer.byteLength(character)
    offset += character.length
  }
  return offset
}

/** Both 1-based; columns are UTF-16. */
export function lineAndColumn(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset)
  const line = before.split('\n').length
  return { line, column: offset - before.lastIndexOf('\n') }
}
