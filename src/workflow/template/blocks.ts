import { refuse } from './fault.ts'
import { type Branch, type Expression, type LoopSlots, MAX_DEPTH, type Node } from './tree.ts'

type IfNode = Extract<Node, { kind: 'if' }>
type EachNode = Extract<Node, { kind: 'each' }>
type WithNode = Extract<Node, { kind: 'with' }>

/** A block that has been opened and not yet closed. */
export interface Frame {
  readonly node: IfNode | EachNode | WithNode
  /** The word that opened it, and where: for errors. */
  readonly keyword: string
  readonly offset: number
  /** Opened by `else`, and closed with the block that it belongs to. */
  readonly chained: boolean
  /** In `else`. */
  inElse: boolean
  /** Variables by name: those of the opening, and those made inside. */
  readonly header: Map<string, number>
  names: Map<string, number>
}

/** A block in which nothing stands yet. `slot` holds what it tests or the item, `key` the item's place. */
export function blockNode(kind: 'if' | 'with' | 'each', value: Expression, slot?: number, key?: number): Frame['node'] {
  const named = slot === undefined ? {} : { slot }
  if (kind === 'if') return { kind, branches: [{ test: value, ...named, body: [] }], otherwise: [] }
  if (kind === 'with') return { kind, value, ...named, body: [], otherwise: [] }
  const slots: LoopSlots = {}
  if (slot !== undefined) slots.item = slot
  if (key !== undefined) slots.key = key
  return { kind, list: value, slots, body: [], otherwise: [], hasElse: false }
}

export interface Blocks {
  add(node: Node): void
  open(
    node: Frame['node'],
    keyword: string,
    offset: number,
    header: ReadonlyMap<string, number>,
    chained?: boolean,
  ): void
  /** The innermost block, or a refusal. */
  current(word: string, offset: number): Frame
  startElse(frame: Frame, offset: number): void
  startElseIf(frame: Frame, branch: Branch, header: ReadonlyMap<string, number>): void
  /** The innermost block that was not opened by `else`: the one that can be closed. */
  owner(): Frame | undefined
  close(): void
  newSlot(): number
  declare(name: string, slot: number): void
  find(name: string): number | undefined
  /** Loops whose items are being written, the innermost first. */
  loops(): LoopSlots[]
  /** Blocks that change what `.` and `this` are. */
  contexts(): number
  /** Ends the text. */
  finish(): { nodes: Node[]; slots: number }
}

/** Puts nodes into the blocks that are open. Without recursion: the depth is counted, not suffered. */
export function startBlocks(): Blocks {
  const nodes: Node[] = []
  const frames: Frame[] = []
  const top = new Map<string, number>()
  const targets: Node[][] = [nodes]
  let slots = 0

  const last = () => frames.at(-1)
  return {
    add(node) {
      targets.at(-1)?.push(node)
    },
    open(node, keyword, offset, header, chained = false) {
      if (frames.length >= MAX_DEPTH) refuse(`blocks are nested more than ${MAX_DEPTH} deep`, offset)
      targets.at(-1)?.push(node)
      targets.push(node.kind === 'if' ? (node.branches[0]?.body ?? node.otherwise) : node.body)
      frames.push({ node, keyword, offset, chained, inElse: false, header: new Map(header), names: new Map(header) })
    },
    current(word, offset) {
      return last() ?? refuse(`"${word}" without a block that it belongs to`, offset)
    },
    startElse(frame, offset) {
      if (frame.inElse) refuse(`a second "else" in "${frame.keyword}"`, offset)
      frame.inElse = true
      // A loop's variables have no value where there was no item.
      frame.names = new Map(frame.node.kind === 'each' ? [] : frame.header)
      if (frame.node.kind === 'each') frame.node.hasElse = true
      targets[targets.length - 1] = frame.node.otherwise
    },
    startElseIf(frame, branch, header) {
      if (frame.node.kind !== 'if') return
      frame.node.branches.push(branch)
      for (const [name, slot] of header) frame.header.set(name, slot)
      frame.names = new Map(frame.header)
      targets[targets.length - 1] = branch.body
    },
    owner: () => frames.findLast((frame) => !frame.chained),
    close() {
      for (let closed = frames.pop(); closed; closed = frames.pop()) {
        targets.pop()
        if (!closed.chained) return
      }
    },
    newSlot: () => slots++,
    declare(name, slot) {
      ;(last()?.names ?? top).set(name, slot)
    },
    find(name) {
      for (let at = frames.length - 1; at >= 0; at -= 1) {
        const slot = frames[at]?.names.get(name)
        if (slot !== undefined) return slot
      }
      return top.get(name)
    },
    loops: () => frames.flatMap(({ node, inElse }) => (node.kind === 'each' && !inElse ? [node.slots] : [])).reverse(),
    contexts: () => frames.filter(({ node, inElse }) => node.kind !== 'if' && !inElse).length,
    finish() {
      const open = last()
      if (open) refuse(`"${open.keyword}" is not closed`, open.offset)
      return { nodes, slots }
    },
  }
}
