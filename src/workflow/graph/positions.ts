import type { Cell } from './rows.ts'

const SWEEPS = 6
const BOX_GAP = 24
/** Beside a line that passes. */
const LINE_GAP = 12
/** Boxes make way, so that long lines stay straight. */
const LINE_WEIGHT = 10_000

export interface Positions {
  /** The rows, from left to right. */
  readonly ordered: readonly (readonly Cell[])[]
  /** Of the middle of each cell by its id, from 0 at the left border of all. */
  readonly x: Float64Array
  readonly width: number
}

/** Where cells stand in their rows: near those that they are linked to, without overlap. */
export function positionsOf(rows: readonly (readonly Cell[])[]): Positions {
  const cells = rows.flat()
  const ordered = inOrder(rows, cells.length)
  const x = new Float64Array(cells.length)
  for (const row of ordered) settle(row, x, () => [])
  sweep(ordered, (row, side) => settle(row, x, (cell) => pulling(cell, side)))
  for (const row of ordered) settle(row, x, ({ box, up, down }) => (box === undefined ? [] : [...up, ...down]))
  let [left, right] = [Infinity, -Infinity]
  for (const { id, width } of cells) {
    left = Math.min(left, (x[id] ?? 0) - width / 2)
    right = Math.max(right, (x[id] ?? 0) + width / 2)
  }
  return { ordered, x: x.map((middle) => middle - left), width: Math.max(0, right - left) }
}

type Side = 'up' | 'down'

/** Through all rows, downwards with an eye on what is above, and upwards, in turn. */
function sweep(rows: readonly Cell[][], visit: (row: Cell[], side: Side) => void): void {
  const reversed = rows.toReversed()
  for (let turn = 0; turn < SWEEPS; turn++) {
    const side = turn % 2 === 0 ? 'up' : 'down'
    for (const row of side === 'up' ? rows : reversed) visit(row, side)
  }
}

/** Each row by the mean place of what its cells are linked to: few lines cross then. */
function inOrder(rows: readonly (readonly Cell[])[], count: number): Cell[][] {
  const ordered = rows.map((row) => [...row])
  const places = new Float64Array(count)
  const wanted = new Float64Array(count)
  const enter = (row: readonly Cell[]) => {
    for (const [index, { id }] of row.entries()) places[id] = (index + 0.5) / row.length
  }
  for (const row of ordered) enter(row)
  sweep(ordered, (row, side) => {
    for (const cell of row) wanted[cell.id] = mean(cell[side], places, cell)
    row.sort((a, b) => (wanted[a.id] ?? 0) - (wanted[b.id] ?? 0))
    enter(row)
  })
  return ordered
}

/** A line that goes on goes straight on, whatever it branches to. */
function pulling(cell: Cell, side: Side): readonly Cell[] {
  const onward = cell.box === undefined && cell[side].find(({ box }) => box === undefined)
  return onward ? [onward] : cell[side]
}

/** Over the cells that are linked; without any, where it is. */
function mean(linked: readonly Cell[], values: Float64Array, self: Cell): number {
  if (linked.length === 0) return values[self.id] ?? 0
  let sum = 0
  for (const { id } of linked) sum += values[id] ?? 0
  return sum / linked.length
}

/**
 * Moves the cells of a row as near to what they are linked to as their order and their distances allow: the least sum
 * of squares, by pooling neighbours that would overlap.
 */
function settle(row: readonly Cell[], x: Float64Array, linked: (cell: Cell) => readonly Cell[]): void {
  const pools: { sum: number; weight: number; cells: number }[] = []
  const offsets: number[] = []
  let offset = 0
  for (const [index, cell] of row.entries()) {
    const before = row[index - 1]
    if (before) offset += distance(before, cell)
    offsets.push(offset)
    const pull = linked(cell)
    const weight = cell.box === undefined && pull.every(({ box }) => box === undefined) ? LINE_WEIGHT : 1
    const pool = { sum: (mean(pull, x, cell) - offset) * weight, weight, cells: 1 }
    for (let last = pools.at(-1); last && last.sum / last.weight >= pool.sum / pool.weight; last = pools.at(-1)) {
      pool.sum += last.sum
      pool.weight += last.weight
      pool.cells += last.cells
      pools.pop()
    }
    pools.push(pool)
  }
  let index = 0
  for (const { sum, weight, cells } of pools) {
    for (const end = index + cells; index < end; index++) {
      const cell = row[index]
      if (cell) x[cell.id] = sum / weight + (offsets[index] ?? 0)
    }
  }
}

function distance(left: Cell, right: Cell): number {
  const gap = left.box === undefined || right.box === undefined ? LINE_GAP : BOX_GAP
  return left.width / 2 + gap + right.width / 2
}
