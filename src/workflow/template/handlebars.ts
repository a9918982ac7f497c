import { blockNode, type Blocks } from './blocks.ts'
import { call, literal, path, toKey } from './calls.ts'
import { refuse } from './fault.ts'
import { type Hash, type Location, parseBlock, type ParserError, type PathWord, type Word } from './handlebars-ast.ts'
import { HELPERS } from './helpers.ts'
import { nearest } from '../../model/nearest.ts'
import { plainPath } from './plain-path.ts'
import type { Action } from './scan.ts'
import type { Base, Expression, Key, LoopSlots } from './tree.ts'

/** The words of an action as the parser of Handlebars reads them. */
interface Words {
  readonly words: readonly Word[]
  readonly hash: Hash | undefined
  /** Names after `as`. */
  readonly params: readonly string[]
  readonly source: Bracketed
}

/** As the parameters of a block they are read alike in every kind of action. */
const PREFIX = '{{#x '
const SUFFIX = '}}{{/x}}'

/** What the grammar calls the things that it meets. */
const TOKENS: Readonly<Record<string, string>> = {
  CLOSE: 'the end',
  CLOSE_UNESCAPED: 'the end',
  EOF: 'the end',
  OPEN_SEXPR: '"("',
  CLOSE_SEXPR: '")"',
  EQUALS: '"="',
  SEP: '"."',
  OPEN_BLOCK_PARAMS: '"as |"',
  CLOSE_BLOCK_PARAMS: '"|"',
  DATA: '"@"',
  ID: 'a name',
  STRING: 'a string',
  NUMBER: 'a number',
}

const BLOCKS = ['if', 'unless', 'each', 'with']
const DATA = ['root', 'index', 'key', 'first', 'last']
const NO_HASH = 'helpers take their arguments by position'

/** Reads actions in the spelling of Handlebars, one after the other, into `blocks`. */
export function readHandlebars(blocks: Blocks): (action: Action) => void {
  const cache = new Map<string, Words>()
  const wordsOf = (inner: string, at: number): Words => {
    let words = cache.get(inner)
    if (!words) cache.set(inner, (words = readWords(inner, at)))
    return words
  }

  return (action) => {
    const { sigil, inner, innerAt, offset } = action
    const otherwise = sigil === '' ? /^\s*else(?=\s|$)/u.exec(inner) : null
    if (sigil === '!') return
    if (otherwise) {
      readElse(inner.slice(otherwise[0].length), innerAt + otherwise[0].length, offset)
    } else if (sigil === '^') {
      if (inner.trim() !== '') refuse('inverse blocks are not known here', offset, `write {{#unless${inner}}}`)
      blocks.startElse(blocks.current('else', offset), offset)
    } else if (sigil === '/') {
      close(inner.trim(), offset)
    } else if (sigil === '>' || (sigil === '#' && inner.startsWith('>'))) {
      refuse('partials are not known here', offset, 'write the text itself')
    } else if (sigil === '*' || (sigil === '#' && inner.startsWith('*'))) {
      refuse('decorators are not known here', offset)
    } else if (sigil === '#') {
      openBlock(wordsOf(inner, innerAt), inner, innerAt, offset, false)
    } else {
      const words = wordsOf(inner, innerAt)
      if (words.params.length > 0) refuse('"as |...|" belongs to a block', offset)
      blocks.add({ kind: 'output', value: mustache(words, placeIn(words.source, innerAt), offset) })
    }
  }

  function readElse(rest: string, restAt: number, offset: number): void {
    const frame = blocks.current('else', offset)
    if (rest.trim() === '') {
      blocks.startElse(frame, offset)
      return
    }
    openBlock(wordsOf(rest, restAt), rest, restAt, offset, true)
  }

  function close(name: string, offset: number): void {
    const owner = blocks.owner()
    if (!owner) refuse(`"{{/${name.slice(0, 60)}}}" closes nothing`, offset)
    if (owner.keyword !== name)
      refuse(`"{{/${name.slice(0, 60)}}}" stands where {{/${owner.keyword}}} was expected`, offset)
    blocks.close()
  }

  function openBlock(
    { words, hash, params, source }: Words,
    inner: string,
    innerAt: number,
    offset: number,
    chained: boolean,
  ): void {
    const at = placeIn(source, innerAt)
    const [head, subject, ...more] = words
    const name = head === undefined ? '' : nameOf(head)
    if (name === undefined || !BLOCKS.includes(name) || head === undefined) {
      const near = nearest(name ?? '', BLOCKS)
      const hint = near === undefined ? 'the blocks are if, unless, each and with' : `did you mean {{#${near}}}?`
      return refuse(`there is no block "${(name ?? inner.trim()).slice(0, 60)}"`, offset, hint)
    }
    if (hash) refuse(`${name} takes no named arguments`, at(hash.loc), NO_HASH)
    if (!subject || more.length > 0) {
      const hint =
        subject && isPath(subject)
          ? `a call goes into parentheses: {{#${name} (${nameOf(subject) ?? 'helper'} ...)}}`
          : undefined
      return refuse(`${name} takes 1 argument, got ${words.length - 1}`, offset, hint)
    }
    const most = name === 'each' ? 2 : Number(name === 'with')
    if (params.length > most) refuse(`${name} names at most ${most} values after "as"`, offset)
    const frame = chained ? blocks.current('else', offset) : undefined
    const joins = frame?.node.kind === 'if' && (name === 'if' || name === 'unless') && !frame.inElse
    // What `this` and the names are in a loop, they are not in its `else`.
    if (frame && !joins) blocks.startElse(frame, offset)
    const value = expression(subject, at)
    const test = name === 'unless' ? call('not', [value], value.offset) : value
    if (frame && joins) {
      blocks.startElseIf(frame, { test, body: [] }, new Map())
      return
    }
    const slots = params.map((param) => [param, blocks.newSlot()] as const)
    const header = new Map(slots)
    const [[, item] = [], [, key] = []] = slots
    const kind = name === 'unless' ? 'if' : (name as 'if' | 'each' | 'with')
    blocks.open(blockNode(kind, test, item, key), name, offset, header, chained)
  }

  function mustache({ words, hash }: Words, at: Place, offset: number): Expression {
    const [head, ...args] = words
    if (hash) refuse('named arguments mean nothing here', at(hash.loc), NO_HASH)
    if (!head) return refuse('there is nothing between "{{" and "}}"', offset)
    const name = nameOf(head)
    if (args.length > 0) return invoke(head, args, at)
    // A helper that needs no arguments is called where it stands alone, unless the name is a variable's.
    if (name !== undefined && HELPERS.get(name)?.arity[0] === 0 && blocks.find(name) === undefined) {
      return call(name, [], at(head.loc))
    }
    return expression(head, at)
  }

  function invoke(head: Word, args: readonly Word[], at: Place): Expression {
    const name = nameOf(head)
    if (name === undefined) return refuse('what stands first is no helper, and takes no arguments', at(head.loc))
    // The name that Handlebars has for it.
    const helper = name === 'lookup' ? 'index' : name
    return call(
      helper,
      args.map((arg) => expression(arg, at)),
      at(head.loc),
    )
  }

  function expression(node: Word, at: Place): Expression {
    const offset = at(node.loc)
    switch (node.type) {
      case 'StringLiteral':
      case 'BooleanLiteral':
        return literal(node.value, offset)
      case 'NumberLiteral': {
        const { value } = node
        if (Number.isInteger(value) && !Number.isSafeInteger(value)) refuse('a number of too many digits', offset)
        return literal(value + 0, offset)
      }
      case 'NullLiteral':
        return literal(null, offset)
      case 'UndefinedLiteral':
        return refuse('undefined is no value', offset, 'write null')
      case 'SubExpression': {
        const { path: head, params, hash } = node
        if (hash) refuse('named arguments mean nothing here', at(hash.loc), NO_HASH)
        return invoke(head, params, at)
      }
      case 'PathExpression':
        return readPath(node, offset, at)
      case 'HashLiteral':
      case 'ArrayLiteral':
        return refuse('this cannot be read as a value', offset)
    }
  }

  function readPath(node: PathWord, offset: number, at: Place): Expression {
    const [head, ...tail] = node.parts
    const keys = tail.map((part) => keyOf(part as string))
    if (typeof head === 'object') {
      return path({ from: 'value', value: expression(head, at), label: '(...)' }, keys, offset)
    }
    if (node.data) return data(head ?? '', node.depth, keys, offset)
    const all = head === undefined ? keys : [keyOf(head), ...keys]
    const slot = head === undefined || node.depth > 0 || isExplicit(node.original) ? undefined : blocks.find(head)
    if (slot !== undefined) return path({ from: 'slot', slot, label: head ?? '' }, keys, offset)
    return path(context(node.depth, offset), all, offset)
  }

  function context(up: number, offset: number): Base {
    const there = blocks.contexts()
    if (up > there) refuse('"../" leads out of the template', offset)
    if (up === there) return { from: 'scope', label: '' }
    return { from: 'context', up, label: up === 0 ? 'this' : '../'.repeat(up).slice(0, -1) }
  }

  function data(name: string, up: number, keys: readonly Key[], offset: number): Expression {
    if (name === 'root') return path({ from: 'scope', label: '' }, keys, offset)
    if (!DATA.includes(name)) {
      const near = nearest(name, DATA)
      refuse(`there is no @${name.slice(0, 60)}`, offset, near === undefined ? undefined : `did you mean @${near}?`)
    }
    const loop = blocks.loops()[up]
    if (!loop) return refuse(`@${name} stands outside of {{#each}}`, offset)
    const wanted = name as keyof LoopSlots
    const slot = (loop[wanted] ??= blocks.newSlot())
    return path({ from: 'slot', slot, label: `@${name}` }, keys, offset)
  }
}

type Place = (loc: Location | undefined) => number

/** From lines and columns of the parser to places in the template. */
function placeIn({ text, places }: Bracketed, innerAt: number): Place {
  const lines = [-PREFIX.length, ...[...text.matchAll(/\r\n?|\n/g)].map((match) => match.index + match[0].length)]
  return (loc) => {
    if (!loc) return innerAt
    const at = (lines[loc.start.line - 1] ?? 0) + loc.start.column
    const end = text.length - 2 * places.length
    return innerAt + Math.max(0, Math.min(end, at - 2 * bracketsBefore(places, at)))
  }
}

/** An action's inside as the parser gets it, and where brackets were put: places in the text as it was. */
interface Bracketed {
  readonly text: string
  readonly places: readonly number[]
}

const LAST_NUMBER = /"(?:\\"|[^"])*"|'(?:\\'|[^'])*'|(?<![^\s(])-?\d+(?:\.\d+)?(?=[\s)]|$)|\.(\d+)(?=[\s)|]|$)/g

/** `list.1` as `list.[1]`: at the end of a path the parser would take the digits for a number. */
function bracketed(inner: string): Bracketed {
  const places: number[] = []
  const text = inner.replace(LAST_NUMBER, (whole: string, digits: string | undefined, at: number) => {
    if (digits === undefined) return whole
    places.push(at)
    return `.[${digits}]`
  })
  return { text, places }
}

function bracketsBefore(places: readonly number[], at: number): number {
  let low = 0
  let high = places.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((places[middle] ?? 0) + 2 * middle < at) low = middle + 1
    else high = middle
  }
  return low
}

function readWords(inner: string, innerAt: number): Words {
  const plain = plainPath(inner, PREFIX.length)
  if (plain) return { words: [plain], hash: undefined, params: [], source: { text: inner, places: [] } }
  const source = bracketed(inner)
  try {
    const { params, hash, program } = parseBlock(PREFIX + source.text + SUFFIX)
    return { words: params, hash, params: program.blockParams ?? [], source }
  } catch (error) {
    return refuseParse(error as ParserError, inner, placeIn(source, innerAt))
  }
}

function refuseParse({ message, hash, lineNumber, column }: ParserError, inner: string, at: Place): never {
  // The parser tells where the last thing it understood was; its own faults carry a line and a column.
  const line = hash?.loc?.last_line ?? lineNumber ?? 1
  const start = { line, column: hash?.loc?.last_column ?? column ?? 0 }
  const offset = at({ start })
  if (!hash) refuse(message.replace(/ - \d+:\d+$/, ''), offset)
  const hint = inner.includes('==') ? 'write (eq a b) to compare' : undefined
  const token = TOKENS[String(hash.token)]
  refuse(`this cannot be read${token === undefined ? '' : `: ${token} is not expected here`}`, offset, hint)
}

const isPath = (node: Word): node is PathWord => node.type === 'PathExpression'

/** A single plain name, as a helper's is. */
function nameOf(node: Word): string | undefined {
  if (!isPath(node) || node.data || node.depth > 0 || node.parts.length !== 1 || isExplicit(node.original))
    return undefined
  const [name] = node.parts
  return typeof name === 'string' ? name : undefined
}

/** `this.x` and `./x` mean the member, whatever helper or variable has its name. */
const isExplicit = (original: string): boolean => /^(?:this|\.)[./]/.test(original)

/** `["a b"]` and `[a b]` are the same member. */
function keyOf(part: string): Key {
  const quoted = /^"([^"]*)"$|^'([^']*)'$/.exec(part)
  return quoted ? (quoted[1] ?? quoted[2] ?? '') : toKey(part)
}
