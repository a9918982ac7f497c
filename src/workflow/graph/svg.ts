import type { StepReport } from '../run-state.ts'
import type { Graph, GraphNode } from './drawable.ts'
import { type Layout, layout, type Point } from './layout.ts'
import { DARK, LIGHT, type Theme } from './palette.ts'
import type { Size } from './rows.ts'
import { oneLine, type Word, wordsOf } from './words.ts'

/**
 * The graph as an SVG document of its own: no scripts, fonts or links, light or dark as its reader likes. Steps carry
 * the states that `reports` tell (by id, of the outermost steps).
 */
export function svg(graph: Graph, reports: readonly StepReport[] = []): string {
  const byId = new Map(reports.map((report) => [report.id, report]))
  const picture = pictureOf(graph, byId)
  const title = `Workflow ${oneLine(graph.name, 80)}`
  const width = Math.max(picture.size.width, widthOf(title, 'id')) + 2 * MARGIN
  const height = picture.size.height + TITLE + 2 * MARGIN
  const steps = graph.nodes.map((node) => sentence(wordsOf(node, byId.get(node.id))))
  return `<svg xmlns="http://www.w3.org/2000/svg" class="vmcp-workflow" role="img" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">
<title>${escape(title)}</title>
<desc>${escape(steps.join(' '))}</desc>
<style>${STYLE}</style>
<rect class="page" width="${width}" height="${height}"/>
<text class="id" x="${MARGIN}" y="${MARGIN + 12}">${escape(title)}</text>
${picture.at({ x: Math.round((width - picture.size.width) / 2), y: MARGIN + TITLE })}
</svg>
`
}

const MARGIN = 20
const TITLE = 32
const PADDING = 14
const LINE = 17
const NARROWEST = 120
/** Of a text in a box; what is longer is cut, and told in full by the tip of the box. */
const WIDEST_TEXT = 230
/** Between the text of a question and the tips of its hexagon. */
const TIP = 12
/** The sheet behind a loop shows by so much. */
const SHEET = 5
const ARROW = 7

/** Something drawn: its size, and how it looks with its upper left corner at a point. */
interface Picture {
  readonly size: Size
  readonly at: (corner: Point) => string
}

function pictureOf({ nodes, edges }: Graph, reports: ReadonlyMap<string, StepReport>): Picture {
  const boxes = nodes.map((node) => boxOf(node, reports.get(node.id)))
  const plan = layout(
    boxes.map(({ size }) => size),
    edges,
  )
  return {
    size: plan,
    at: ({ x, y }) =>
      [
        ...linesOf(plan, x, y),
        ...boxes.map((box, place) => {
          const corner = plan.corners[place] ?? { x: 0, y: 0 }
          return box.at({ x: x + corner.x, y: y + corner.y })
        }),
      ].join('\n'),
  }
}

function boxOf(node: GraphNode, report: StepReport | undefined): Picture {
  const words = wordsOf(node, report)
  const inside = node.inside && pictureOf(node.inside, new Map())
  const lines = words.map((word) => ({ ...word, text: cut(word) }))
  const side = PADDING + (node.kind === 'question' ? TIP : 0)
  const sheet = node.kind === 'forEach' ? SHEET : 0
  const text = { width: Math.max(...lines.map((line) => widthOf(line.text, line.role))), height: lines.length * LINE }
  const width = Math.max(NARROWEST, text.width + 2 * side, inside ? inside.size.width + 2 * PADDING : 0)
  const height = text.height + 2 * PADDING - 4 + (inside ? inside.size.height + PADDING : 0)
  const names = ['step', node.kind, ...(node.conditional ? ['conditional'] : []), ...(report ? [report.status] : [])]
  return {
    size: { width: width + sheet, height: height + sheet },
    at: ({ x, y }) => {
      const middle = x + width / 2
      const texts = lines.map(
        ({ role, text }, index) =>
          `<text class="${role}" x="${middle}" y="${y + PADDING + 10 + index * LINE}">${escape(text)}</text>`,
      )
      return [
        `<g class="${names.join(' ')}"><title>${escape(sentence(words))}</title>`,
        ...(sheet > 0 ? [outline('forEach', x + sheet, y + sheet, width, height)] : []),
        `${outline(node.kind, x, y, width, height)}${texts.join('')}`,
        ...(inside
          ? [
              '<g>',
              inside.at({ x: Math.round(middle - inside.size.width / 2), y: y + PADDING + text.height + PADDING - 4 }),
              '</g>',
            ]
          : []),
        '</g>',
      ].join('\n')
    },
  }
}

function outline(kind: GraphNode['kind'], x: number, y: number, width: number, height: number): string {
  if (kind !== 'question') return `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="6"/>`
  const [right, bottom, middle] = [x + width, y + height, y + height / 2]
  return `<path d="M${x} ${middle}L${x + TIP} ${y}H${right - TIP}L${right} ${middle}L${right - TIP} ${bottom}H${x + TIP}Z"/>`
}

/** All lines of a kind as one path, and one for the heads of all arrows. */
function linesOf({ lines }: Layout, x: number, y: number): string[] {
  const paths = { edge: '', 'edge conditional': '' }
  const heads = new Set<string>()
  const add = (conditional: boolean, path: string) => (paths[conditional ? 'edge conditional' : 'edge'] += path)
  for (const { start, bend, conditional, branches } of lines) {
    const [from, turn] = [x + start.x, y + bend]
    if (bend > start.y) add(conditional, `M${from} ${y + start.y}V${turn}`)
    for (const { end, arrives, conditional } of branches) {
      const [to, bottom, half] = [x + end.x, y + end.y, (turn + y + end.y) / 2]
      add(conditional, `M${from} ${turn}C${from} ${half} ${to} ${half} ${to} ${arrives ? bottom - ARROW : bottom}`)
      if (arrives) heads.add(`M${to} ${bottom}l-4 -${ARROW + 1}h8z`)
    }
  }
  const all = [...Object.entries(paths), ['head', [...heads].join('')]]
  return all.flatMap(([name, path]) => (path === '' ? [] : [`<path class="${name}" d="${path}"/>`]))
}

const sentence = (words: readonly Word[]) => `${words.map(({ text }) => text).join('; ')}.`

/** Widths in ems; fonts differ, so these are those of a wide one. */
function emsOf(character: string): number {
  if (/[ .,:;!|'ijlftr()[\]-]/u.test(character)) return 0.38
  if (/[a-ln-vx-z0-9_·]/u.test(character)) return 0.62
  return character <= '\u02FF' ? 0.8 : 1.1
}

const SIZES: Readonly<Record<Word['role'], number>> = { id: 14, calls: 12, notes: 11, state: 12, error: 11 }

/** At most so many pixels. */
function widthOf(text: string, role: Word['role']): number {
  let ems = 0
  for (const character of text) ems += emsOf(character)
  return Math.ceil((ems * SIZES[role]) / 2) * 2
}

function cut({ role, text }: Word): string {
  if (widthOf(text, role) <= WIDEST_TEXT) return text
  const characters = Array.from(text)
  while (widthOf(`${characters.join('')}…`, role) > WIDEST_TEXT) characters.pop()
  return `${characters.join('').trimEnd()}…`
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

function escape(text: string): string {
  return text.replaceAll(/[&<>"]/gu, (character) => ENTITIES[character] ?? '')
}

const STYLE = `
.vmcp-workflow text{font:12px system-ui,sans-serif}
.vmcp-workflow .step>text{text-anchor:middle}
.vmcp-workflow .id{font-size:13px;font-weight:600}
.vmcp-workflow .notes,.vmcp-workflow .error{font-size:11px}
.vmcp-workflow .edge{fill:none;stroke-width:1.5}
.vmcp-workflow .conditional>rect,.vmcp-workflow .conditional>path,.vmcp-workflow .edge.conditional{stroke-dasharray:5 4}
${coloured(LIGHT)}
@media (prefers-color-scheme:dark){
${coloured(DARK)}
}
`

function coloured({ page, text, faint, edge, plain, states }: Theme): string {
  const shape = (name: string) => ['rect', 'path'].map((tag) => `.vmcp-workflow ${name}>${tag}`).join(',')
  return [
    `.vmcp-workflow .page{fill:${page}}`,
    `.vmcp-workflow text{fill:${text}}`,
    `.vmcp-workflow .calls,.vmcp-workflow .notes{fill:${faint}}`,
    `.vmcp-workflow .edge{stroke:${edge}}`,
    `.vmcp-workflow .head{fill:${edge}}`,
    `${shape('.step')}{fill:${plain.fill};stroke:${plain.line}}`,
    ...Object.entries(states).map(([status, { fill, line }]) => `${shape(`.${status}`)}{fill:${fill};stroke:${line}}`),
  ].join('\n')
}
