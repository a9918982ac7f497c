import { blockNode, type Blocks, type Frame } from './blocks.ts'
import { call, literal, path } from './calls.ts'
import { refuse } from './fault.ts'
import { lex, type Token } from './go-lexer.ts'
import { HELPER_NAMES, HELPERS } from './helpers.ts'
import { nearest } from '../../model/nearest.ts'
import { readNumber } from './numbers.ts'
import type { Action } from './scan.ts'
import type { Base, Expression, Key } from './tree.ts'

/** Actions of Go's templates that make no value of a scope, and what to write instead. */
const REFUSED: Readonly<Record<string, string>> = {
  define: 'write the text where it is used',
  template: 'write the text itself',
  block: 'write the text itself',
}
const MAX_PIPES = 100
const CONSTANTS = new Map<string, boolean | null>([
  ['true', true],
  ['false', false],
  ['nil', null],
])

/** Reads actions in Go's spelling, one after the other, into `blocks`. */
export function readGo(blocks: Blocks): (action: Action) => void {
  let tokens: Token[] = []
  let at = 0

  const peek = (ahead = 0): Token => tokens[Math.min(at + ahead, tokens.length - 1)] as Token
  const next = (): Token => {
    const token = peek()
    at += 1
    return token
  }
  const isMark = (text: string): boolean => peek().type === 'mark' && peek().text === text

  return (action) => {
    if (action.sigil === '//') return
    tokens = lex(action.inner, action.innerAt)
    at = 0
    const first = peek()
    if (first.type === 'end') refuse('there is nothing between "{{" and "}}"', action.offset)
    const keyword = first.type === 'word' ? first.text : ''
    const refused = Object.hasOwn(REFUSED, keyword) ? REFUSED[keyword] : undefined
    if (refused !== undefined) refuse(`"${keyword}" is not known here`, first.offset, refused)
    if (keyword === 'if' || keyword === 'with' || keyword === 'range') {
      next()
      openBlock(keyword, action.offset, false)
    } else if (keyword === 'else') {
      next()
      readElse(action.offset)
    } else if (keyword === 'end') {
      next()
      if (!blocks.owner()) refuse('"end" closes nothing', first.offset)
      blocks.close()
    } else if (keyword === 'break' || keyword === 'continue') {
      next()
      if (blocks.loops().length === 0) refuse(`"${keyword}" stands outside of range`, first.offset)
      blocks.add({ kind: keyword })
    } else if (first.type === 'variable' && (peek(1).type === 'declare' || peek(1).type === 'assign')) {
      assign()
    } else {
      blocks.add({ kind: 'output', value: pipeline() })
    }
    if (peek().type !== 'end') unexpected(peek())
  }

  function assign(): void {
    const name = next()
    const isNew = next().type === 'declare'
    const value = pipeline()
    if (name.text === '$') refuse('"$" is the scope and cannot be set', name.offset)
    const slot = isNew ? blocks.newSlot() : blocks.find(name.text)
    if (slot === undefined) return refuse(`there is no variable ${name.text}`, name.offset, `write ${name.text} := ...`)
    if (isNew) blocks.declare(name.text, slot)
    blocks.add({ kind: 'set', slot, value })
  }

  function readElse(offset: number): void {
    const frame = blocks.current('else', offset)
    const word = peek()
    if (word.type === 'end') {
      blocks.startElse(frame, offset)
      return
    }
    if (word.type !== 'word' || (word.text !== 'if' && word.text !== 'with')) return unexpected(word)
    next()
    openBlock(word.text, offset, true, frame)
  }

  /** `$x :=` or `$i, $e :=` in front of a block's value. */
  function declarations(most: number): Token[] {
    if (peek().type !== 'variable') return []
    const isPair = peek(1).type === 'mark' && peek(1).text === ','
    if (!isPair && peek(1).type !== 'declare') return []
    const names = [next()]
    if (isPair) {
      next()
      names.push(next())
    }
    if (next().type !== 'declare') refuse('":=" is missing', peek(-1).offset)
    for (const { type, text, offset } of names)
      if (type !== 'variable' || text === '$') refuse('this is no variable', offset)
    if (names.length > most) refuse(`${most} variable at most`, names[1]?.offset ?? 0)
    return names
  }

  function openBlock(keyword: 'if' | 'with' | 'range', offset: number, chained: boolean, frame?: Frame): void {
    // In `else` the variables of the branches before are visible, not what `.` was in them.
    const joins = frame?.node.kind === 'if' && keyword === 'if' && !frame.inElse
    if (frame && joins) frame.names = new Map(frame.header)
    else if (frame) blocks.startElse(frame, offset)
    const names = declarations(keyword === 'range' ? 2 : 1)
    const value = pipeline()
    const slots = names.map(({ text }) => [text, blocks.newSlot()] as const)
    const header = new Map(slots)
    const [[, first] = [], [, second] = []] = slots
    if (frame && joins) {
      blocks.startElseIf(frame, { test: value, ...(first !== undefined && { slot: first }), body: [] }, header)
      return
    }
    // Of two variables the first is the place, of one it is the item.
    const node =
      second === undefined
        ? blockNode(keyword === 'range' ? 'each' : keyword, value, first)
        : blockNode('each', value, second, first)
    blocks.open(node, keyword, offset, header, chained)
  }

  function pipeline(): Expression {
    let value = command(undefined)
    for (let stages = 1; isMark('|'); stages += 1) {
      if (stages > MAX_PIPES) refuse(`more than ${MAX_PIPES} pipes`, peek().offset)
      next()
      value = command(value)
    }
    return value
  }

  function command(piped: Expression | undefined): Expression {
    const first = peek()
    if (first.type === 'word' && !CONSTANTS.has(first.text)) {
      next()
      const args: Expression[] = []
      while (startsOperand()) args.push(operand())
      if (piped) args.push(piped)
      return invoke(first, args)
    }
    if (piped) refuse('a value is piped into something that is no helper', first.offset, 'write: value | helper')
    const value = operand()
    if (startsOperand()) {
      const hint =
        first.type === 'field'
          ? 'methods cannot be called; a helper stands first: helper a b'
          : 'a helper stands first: helper a b'
      refuse('a value takes no arguments', peek().offset, hint)
    }
    return value
  }

  function invoke({ text, offset }: Token, args: readonly Expression[]): Expression {
    if (!HELPERS.has(text)) {
      const near = nearest(text, HELPER_NAMES)
      const hint = near === undefined ? `a path starts with a dot: .${text}` : `did you mean "${near}"?`
      refuse(`there is no helper "${text.slice(0, 60)}"`, offset, hint.slice(0, 120))
    }
    return call(text, args, offset)
  }

  function startsOperand(): boolean {
    const { type } = peek()
    return isMark('(') || (type !== 'mark' && type !== 'end' && type !== 'declare' && type !== 'assign')
  }

  function operand(): Expression {
    const token = next()
    const { type, text, offset } = token
    switch (type) {
      case 'field':
        if (!text.startsWith('.')) return unexpected(token)
        return path(dot(), [token.key, ...keys()], offset)
      case 'dot':
        return path(dot(), keys(), offset)
      case 'variable':
        return path(variable(text, offset), keys(), offset)
      case 'string':
        return literal(text, offset)
      case 'number': {
        const value = readNumber(text.replace(/^\+/, ''))
        return value === undefined
          ? refuse(`${text.slice(0, 60)} is no decimal number`, offset)
          : literal(value, offset)
      }
      case 'word': {
        const constant = CONSTANTS.get(text)
        return constant === undefined ? invoke(token, []) : literal(constant, offset)
      }
      case 'mark': {
        if (text !== '(') return unexpected(token)
        const value = pipeline()
        if (!isMark(')')) unexpected(peek())
        next()
        const tail = keys()
        return tail.length === 0 ? value : path({ from: 'value', value, label: '(...)' }, tail, offset)
      }
      case 'declare':
      case 'assign':
      case 'end':
        return unexpected(token)
    }
  }

  function keys(): Key[] {
    const found: Key[] = []
    while (peek().type === 'field' && peek().joined) found.push(next().key)
    return found
  }

  function dot(): Base {
    return blocks.contexts() === 0 ? { from: 'scope', label: '' } : { from: 'context', up: 0, label: '.' }
  }

  function variable(name: string, offset: number): Base {
    if (name === '$') return { from: 'scope', label: '' }
    const slot = blocks.find(name)
    if (slot === undefined) return refuse(`there is no variable ${name.slice(0, 60)}`, offset)
    return { from: 'slot', slot, label: name }
  }

  function unexpected({ type, text, offset }: Token): never {
    const what = type === 'end' ? 'the end' : JSON.stringify(text.slice(0, 60))
    return refuse(`${what} is not expected here`, offset, type === 'assign' ? 'write eq a b to compare' : undefined)
  }
}
