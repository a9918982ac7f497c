import type { StepStatus } from '../plan.ts'
import type { StepReport } from '../run-state.ts'
import type { Graph, GraphNode } from './drawable.ts'
import { LIGHT } from './palette.ts'
import { wordsOf } from './words.ts'

/**
 * The graph as a Mermaid flowchart, coloured by state where `reports` tell one (by id, of the outermost steps). A
 * renderer with the usual settings refuses more than 500 edges.
 */
export function mermaid(graph: Graph, reports: readonly StepReport[] = []): string {
  const byId = new Map(reports.map((report) => [report.id, report]))
  const classes = graph.nodes.flatMap(({ id }, place) => {
    const status = byId.get(id)?.status
    return status === undefined ? [] : [{ status, name: `s${place}` }]
  })
  return [
    'flowchart TD',
    ...linesOf(graph, 's', byId, '  '),
    ...[...Map.groupBy(classes, ({ status }) => status)].flatMap(([status, members]) => [
      `  classDef ${status} ${styleOf(status)}`,
      `  class ${members.map(({ name }) => name).join(',')} ${status}`,
    ]),
    '',
  ].join('\n')
}

/** `prefix`: of the names of these nodes. Their ids would not do: they may be keywords, or anything else. */
function linesOf(
  { nodes, edges }: Graph,
  prefix: string,
  reports: ReadonlyMap<string, StepReport>,
  indent: string,
): string[] {
  return [
    ...nodes.flatMap((node, place) => {
      const name = `${prefix}${place}`
      const label = labelOf(node, reports.get(node.id))
      if (!node.inside) return `${indent}${name}${shapeOf(node, label)}`
      const inner = linesOf(node.inside, `${name}_`, new Map(), `${indent}  `)
      return [`${indent}subgraph ${name}[${label}]`, ...inner, `${indent}end`]
    }),
    ...edges.map(
      ({ from, to, conditional }) => `${indent}${prefix}${from} ${conditional ? '-.->' : '-->'} ${prefix}${to}`,
    ),
  ]
}

function shapeOf({ kind }: GraphNode, label: string): string {
  switch (kind) {
    case 'tool':
      return `[${label}]`
    case 'question':
      return `{{${label}}}`
    case 'forEach':
    case 'workflow':
      return `[[${label}]]`
  }
}

function labelOf(node: GraphNode, report: StepReport | undefined): string {
  const lines = wordsOf(node, report).map(({ text }) => escape(text))
  return `"${lines.join('<br/>')}"`
}

/**
 * All but letters and digits, the spaces between them, and `-`, `.` or `_` within a word. Mermaid looks for directives
 * (`%%{`), styles (`style x:`), icons, formulas and Markdown even where its grammar sees a quoted text; what is written
 * as an entity it finds nowhere.
 */
const SPECIAL = /(?!(?<=[\p{L}\p{N}])[-._](?=[\p{L}\p{N}]))[^\p{L}\p{N} ]/gu

/** What Mermaid still reads after it has decoded entities: `$$` as a formula, `\n` as an end of line, `fa:` as an icon. */
const MEANT = /[$\\:]/gu
const WORD_JOINER = '\u2060'

function escape(text: string): string {
  return text.replaceAll(MEANT, `$&${WORD_JOINER}`).replaceAll(SPECIAL, (character) => `#${character.codePointAt(0)};`)
}

function styleOf(status: StepStatus): string {
  const { fill, line } = LIGHT.states[status]
  return `fill:${fill},stroke:${line},color:${LIGHT.text}`
}
