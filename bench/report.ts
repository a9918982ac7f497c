import type { Figure } from './figures.ts'
import type { Verdict } from './targets.ts'

/** A table per cell: subjects down, metrics across. */
export function renderFigures(figures: readonly Figure[]): string {
  const cells = Map.groupBy(figures, ({ shape, cell }) => `${shape}: ${cell}`)
  return [...cells].map(([title, members]) => `${title}\n${renderCell(members)}`).join('\n\n')
}

function renderCell(figures: readonly Figure[]): string {
  const metrics = [...new Set(figures.map(({ metric }) => metric))]
  const rows = [...Map.groupBy(figures, ({ subject }) => subject)].map(([subject, members]) => [
    `  ${subject}`,
    ...metrics.map((metric) => {
      const figure = members.find((each) => each.metric === metric)
      return figure ? number(figure.value) : '-'
    }),
  ])
  return align([['', ...metrics], ...rows])
}

export function renderVerdicts(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ target, worst, met, held }) => [
    `  ${worst ? (met ? 'met' : held ? 'NEAR' : 'MISSED') : 'not measured'}`,
    worst ? number(worst.value) : '',
    `${target.bound} ${number(target.promised)}`,
    `asserted ${number(target.asserted)}`,
    `${target.claim}${worst ? ` (${worst.cell})` : ''}`,
  ])
  return align(rows, 'start')
}

function number(value: number): string {
  if (Number.isNaN(value)) return '-'
  if (Number.isInteger(value)) return value.toLocaleString('en')
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en')
  return value.toFixed(Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2)
}

/** The first column to the left, the others to the right; `start`: all to the left. */
function align(rows: readonly string[][], all?: 'start'): string {
  const widths: number[] = []
  for (const row of rows) for (const [i, text] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, text.length)
  return rows
    .map((row) =>
      row
        .map((text, i) => (i === 0 || all ? text.padEnd(widths[i]!) : text.padStart(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
