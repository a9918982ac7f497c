import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { type Layout, layout } from './layout.ts'
import type { Link, Size } from './rows.ts'

/** Boxes of any size, up to a hundred, each linked to some that stand before it. */
const graphs = fc
  .array(
    fc.record({
      width: fc.integer({ min: 60, max: 900 }),
      height: fc.integer({ min: 30, max: 400 }),
      after: fc.uniqueArray(fc.nat(1_000), { maxLength: 4 }),
      conditional: fc.boolean(),
    }),
    { maxLength: 100 },
  )
  .map((boxes) => ({
    sizes: boxes as Size[],
    links: boxes.flatMap(({ after, conditional }, to) =>
      [...new Set(to === 0 ? [] : after.map((one) => one % to))].map((from) => ({ from, to, conditional })),
    ),
  }))

const key = (x: number, y: number) => `${x}/${y}`

/** Which boxes one comes to along the lines, and whether the last of them is dashed. */
function traced({ corners, lines }: Layout, sizes: readonly Size[]): Link[] {
  const starts = new Map(lines.map((line) => [key(line.start.x, line.start.y), line]))
  const middle = (place: number) => (corners[place]?.x ?? 0) + (sizes[place]?.width ?? 0) / 2
  const boxAt = (x: number, y: number) =>
    corners.findIndex((corner, place) => corner.y === y && Math.abs(middle(place) - x) <= 1)
  const follow = (x: number, y: number): { to: number; conditional: boolean }[] =>
    (starts.get(key(x, y))?.branches ?? []).flatMap(({ end, arrives, conditional }) =>
      arrives ? [{ to: boxAt(end.x, end.y), conditional }] : follow(end.x, end.y),
    )
  return corners.flatMap((corner, from) => {
    const bottom = corner.y + (sizes[from]?.height ?? 0)
    const start = lines.find(({ start }) => start.y === bottom && Math.abs(start.x - middle(from)) <= 1)?.start
    return start ? follow(start.x, start.y).map((end) => ({ from, ...end })) : []
  })
}

const sorted = (links: readonly Link[]) => [...links].sort((a, b) => a.from - b.from || a.to - b.to)

test('no box overlaps another one, all are within the picture, and below what leads to them', () => {
  fc.assert(
    fc.property(graphs, ({ sizes, links }) => {
      const { corners, width, height } = layout(sizes, links)
      const boxes = corners.map(({ x, y }, place) => {
        const size = sizes[place] ?? { width: 0, height: 0 }
        return { left: x, top: y, right: x + size.width, bottom: y + size.height }
      })
      expect(boxes).toHaveLength(sizes.length)
      for (const [place, one] of boxes.entries()) {
        expect(one.left >= 0 && one.top >= 0 && one.right <= width + 1 && one.bottom <= height).toBe(true)
        for (const other of boxes.slice(place + 1)) {
          const isApart =
            one.right < other.left || other.right < one.left || one.bottom < other.top || other.bottom < one.top
          expect(isApart).toBe(true)
        }
      }
      for (const { from, to } of links) expect((boxes[to]?.top ?? 0) > (boxes[from]?.bottom ?? 0)).toBe(true)
    }),
  )
})

test('the lines lead along the links that were given, and no others', () => {
  fc.assert(
    fc.property(graphs, ({ sizes, links }) => {
      expect(sorted(traced(layout(sizes, links), sizes))).toEqual(sorted(links))
    }),
  )
})

test('a line is dashed as far as nothing but conditional links shares it', () => {
  fc.assert(
    fc.property(graphs, ({ sizes, links }) => {
      const { lines } = layout(sizes, links)
      const starts = new Map(lines.map((line) => [key(line.start.x, line.start.y), line]))
      for (const { conditional, branches } of lines) {
        expect(conditional).toBe(branches.every((branch) => branch.conditional))
        for (const { end, arrives, conditional } of branches) {
          if (!arrives) expect(conditional).toBe(starts.get(key(end.x, end.y))?.conditional)
        }
      }
    }),
  )
})

test('no line crosses a box: beside boxes it is straight, and clear of them', () => {
  fc.assert(
    fc.property(graphs, ({ sizes, links }) => {
      const { corners, lines } = layout(sizes, links)
      for (const { start, bend, branches } of lines) {
        for (const [place, { x, y }] of corners.entries()) {
          const { width, height } = sizes[place] ?? { width: 0, height: 0 }
          const isBeside = start.y < y + height && y < bend
          expect(isBeside && x <= start.x && start.x <= x + width).toBe(false)
          for (const { end } of branches) expect(y < end.y && bend < y + height).toBe(false)
        }
      }
    }),
  )
})

test('nothing is drawn of nothing', () => {
  expect(layout([], [])).toEqual({ width: 0, height: 0, corners: [], lines: [] })
})

test('a hundred boxes side by side are broken into rows, and each way past them is one line', () => {
  const sizes = Array.from({ length: 100 }, () => ({ width: 150, height: 60 }))
  const middle = Array.from({ length: 98 }, (_, index) => index + 1)
  const links = [
    ...middle.map((to) => ({ from: 0, to, conditional: false })),
    ...middle.map((from) => ({ from, to: 99, conditional: false })),
  ]
  const { width, height, lines } = layout(sizes, links)
  expect(width).toBeLessThan(3_000)
  expect(height).toBeLessThan(2_000)
  expect(lines.length).toBeLessThan(130)
})
