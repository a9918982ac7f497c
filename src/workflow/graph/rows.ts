export interface Size {
  readonly width: number
  readonly height: number
}

/** Places in the list of boxes; `from` is below `to`. */
export interface Link {
  readonly from: number
  readonly to: number
  readonly conditional: boolean
}

/** What stands in a row: a box, or links that pass it on their way further down. */
export interface Cell {
  /** Numbered from 0 over all rows. */
  readonly id: number
  readonly row: number
  readonly box?: number
  readonly width: number
  readonly up: Cell[]
  readonly down: Cell[]
  /** Whether all links on the way are conditional; beside `down`. */
  readonly conditional: boolean[]
}

/** A row that is wider is broken. */
const WIDEST_ROW = 1_200
const COLUMN_GAP = 24

/** What stands in each row, from above. */
export function rowsOf(sizes: readonly Size[], links: readonly Link[]): Cell[][] {
  return withPassing(layersOf(sizes, links), sizes, links)
}

/** Boxes as high up as their links allow: by the longest way to them. */
function layersOf(sizes: readonly Size[], links: readonly Link[]): number[][] {
  const depths = sizes.map(() => 0)
  for (const { from, to } of links) depths[to] = Math.max(depths[to] ?? 0, (depths[from] ?? 0) + 1)
  const layers = Map.groupBy(sizes.keys(), (place) => depths[place] ?? 0)
  return [...layers].sort(([a], [b]) => a - b).flatMap(([, layer]) => broken(layer, sizes))
}

/** As many rows as it needs, of about the same width. */
function broken(layer: readonly number[], sizes: readonly Size[]): number[][] {
  const widths = layer.map((place) => (sizes[place]?.width ?? 0) + COLUMN_GAP)
  const total = widths.reduce((sum, width) => sum + width, 0)
  const count = Math.ceil(total / WIDEST_ROW)
  let left = 0
  const rows = Map.groupBy(layer, (_, index) => {
    const middle = left + (widths[index] ?? 0) / 2
    left += widths[index] ?? 0
    return Math.floor((middle * count) / total)
  })
  return [...rows.values()]
}

/**
 * Links that pass a row do so together: all that leave one box, or all that come to one, whichever are more. Else a
 * hundred steps that wait for each other would need thousands of lines.
 */
function withPassing(rows: readonly (readonly number[])[], sizes: readonly Size[], links: readonly Link[]): Cell[][] {
  let count = 0
  const cellOf = (row: number, box?: number, width = 0): Cell => {
    const id = count++
    return { id, row, ...(box !== undefined && { box }), width, up: [], down: [], conditional: [] }
  }
  const cells = rows.map((places, row) => places.map((box) => cellOf(row, box, sizes[box]?.width)))
  const boxes = new Map(cells.flat().map((cell) => [cell.box, cell]))
  const leaving = sizes.map(() => 0)
  const coming = sizes.map(() => 0)
  for (const { from, to } of links) {
    leaving[from] = (leaving[from] ?? 0) + 1
    coming[to] = (coming[to] ?? 0) + 1
  }
  const trunks = { from: sizes.map((): Cell[] => []), to: sizes.map((): Cell[] => []) }
  for (const { from, to, conditional } of links) {
    const [start, end] = [boxes.get(from), boxes.get(to)]
    if (!start || !end) continue
    const trunk = (leaving[from] ?? 0) >= (coming[to] ?? 0) ? trunks.from[from] : trunks.to[to]
    let above = start
    for (let row = start.row + 1; row <= end.row; row++) {
      let next = row === end.row ? end : trunk?.[row]
      if (!next) {
        next = cellOf(row)
        if (trunk) trunk[row] = next
        const others = cells[row] ?? []
        others.splice(others.length / 2, 0, next)
      }
      join(above, next, conditional)
      above = next
    }
  }
  return cells
}

function join(upper: Cell, lower: Cell, conditional: boolean): void {
  const known = upper.down.indexOf(lower)
  if (known !== -1) {
    upper.conditional[known] &&= conditional
    return
  }
  upper.down.push(lower)
  upper.conditional.push(conditional)
  lower.up.push(upper)
}
