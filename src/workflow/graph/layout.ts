import { positionsOf } from './positions.ts'
import { type Link, rowsOf, type Size } from './rows.ts'

export interface Point {
  readonly x: number
  readonly y: number
}

/** What leads from a box, or on from another line, to the next row. */
interface Line {
  readonly start: Point
  /** Down to here it is straight: what is beside it may be higher. */
  readonly bend: number
  readonly conditional: boolean
  readonly branches: readonly Branch[]
}

interface Branch {
  readonly end: Point
  /** It ends at a box, not where another line begins. */
  readonly arrives: boolean
  readonly conditional: boolean
}

export interface Layout extends Size {
  /** Upper left corners, by place. */
  readonly corners: readonly Point[]
  readonly lines: readonly Line[]
}

const ROW_GAP = 40

/**
 * Boxes in rows, each below those that lead to it, without overlap; links never cross a box. Pure: the same boxes and
 * links give the same picture.
 */
export function layout(sizes: readonly Size[], links: readonly Link[]): Layout {
  const rows = rowsOf(sizes, links)
  const { ordered, x, width } = positionsOf(rows)
  const heights = ordered.map((row) => Math.max(...row.map(({ box }) => sizes[box ?? -1]?.height ?? 0)))
  const tops: number[] = []
  let height = -ROW_GAP
  for (const one of heights) {
    tops.push(height + ROW_GAP)
    height += ROW_GAP + one
  }
  const corners: Point[] = []
  const lines: Line[] = []
  for (const cell of ordered.flat()) {
    const [top = 0, middle = 0] = [tops[cell.row], x[cell.id]]
    if (cell.box !== undefined) corners[cell.box] = { x: Math.round(middle - cell.width / 2), y: top }
    if (cell.down.length === 0) continue
    const below = cell.box === undefined ? 0 : (sizes[cell.box]?.height ?? 0)
    lines.push({
      start: { x: Math.round(middle), y: top + below },
      bend: top + (heights[cell.row] ?? 0),
      conditional: cell.conditional.every(Boolean),
      branches: cell.down.map((lower, index) => ({
        end: { x: Math.round(x[lower.id] ?? 0), y: tops[lower.row] ?? 0 },
        arrives: lower.box !== undefined,
        conditional: cell.conditional[index] ?? false,
      })),
    })
  }
  return { width: Math.ceil(width), height: Math.max(0, height), corners, lines }
}
