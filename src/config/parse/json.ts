import { type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser'
import { type Fault, fileError } from '../faults.ts'
import { joinPath, lineIndex, type Located, type LocatedMap, type Position, type Scalar } from '../positions.ts'
import { MAX_DEPTH, TOO_DEEP } from './limits.ts'
import { duplicateKey, forbiddenKey, type Parsed } from './parsed.ts'

const EXPECTED: Readonly<Record<string, string>> = {
  InvalidSymbol: 'expected a value (text in double quotes, number, true, false, null, { or [)',
  InvalidNumberFormat: 'expected a number',
  PropertyNameExpected: 'expected a key in double quotes',
  ValueExpected: 'expected a value',
  ColonExpected: 'expected ":" after the key',
  CommaExpected: 'expected "," or the end of the list or object',
  CloseBraceExpected: 'expected "}"',
  CloseBracketExpected: 'expected "]"',
  EndOfFileExpected: 'expected the end of the file',
  InvalidCommentToken: 'expected a comment to begin with // or /*',
  UnexpectedEndOfComment: 'expected */ before the end of the file',
  UnexpectedEndOfString: 'expected the closing double quote on the same line',
  UnexpectedEndOfNumber: 'expected a digit',
  InvalidUnicode: 'expected four hexadecimal digits after \\u',
  InvalidEscapeCharacter: 'expected one of " \\ / b f n r t u after the backslash',
  InvalidCharacter: 'found a control character in a text',
}

/** Parses JSON with comments and trailing commas. Never throws. */
export function parseJson(file: string, text: string): Parsed {
  const lines = lineIndex(text)
  const position = (offset: number, path: string): Position => ({ file, ...lines(offset), path })
  // The parser recurses, so depth is bounded before it starts.
  const deep = firstTooDeep(text)
  if (deep !== undefined) return { documents: [], faults: [fileError(position(deep, ''), TOO_DEEP)] }
  const errors: ParseError[] = []
  const root = parseTree(text, errors, { allowTrailingComma: true })
  // One slip makes the parser stumble again and again; the first error is the one to mend.
  const faults = errors
    .slice(0, 1)
    .map((error) =>
      fileError(
        position(error.offset, ''),
        `broken JSON: ${EXPECTED[printParseErrorCode(error.error)] ?? 'syntax error'}`,
      ),
    )
  if (!root || faults.length > 0) return { documents: [], faults }
  return { documents: [convert(root, '', position, faults)], faults }
}

function convert(
  node: Node,
  path: string,
  position: (offset: number, path: string) => Position,
  faults: Fault[],
): Located {
  const at = position(node.offset, path)
  if (node.type === 'array') {
    const items = (node.children ?? []).map((child, index) => convert(child, joinPath(path, index), position, faults))
    return { kind: 'list', items, at }
  }
  if (node.type !== 'object') {
    const value = node.value as Scalar
    return { kind: 'scalar', value, text: String(value), at }
  }
  const result: LocatedMap = { kind: 'map', entries: new Map(), at }
  for (const property of node.children ?? []) {
    const [keyNode, valueNode] = property.children ?? []
    if (!keyNode || !valueNode) continue
    const key = String(keyNode.value)
    const keyAt = position(keyNode.offset, joinPath(path, key))
    const first = result.entries.get(key)
    if (first) faults.push(duplicateKey(key, keyAt, first.at))
    else if (key === '__proto__') faults.push(forbiddenKey(keyAt))
    else result.entries.set(key, { at: keyAt, value: convert(valueNode, joinPath(path, key), position, faults) })
  }
  return result
}

/** Offset of the bracket that opens one level too many. */
function firstTooDeep(text: string): number | undefined {
  let depth = 0
  for (const match of text.matchAll(/"(?:[^"\\\n]|\\.)*"?|\/\/[^\n]*|\/\*[^]*?(?:\*\/|$)|[[\]{}]/gu)) {
    const first = match[0]
    if (first === '[' || first === '{') {
      if (++depth > MAX_DEPTH) return match.index
    } else if (first === ']' || first === '}') depth--
  }
  return undefined
}
