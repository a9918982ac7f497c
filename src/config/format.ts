import type { Fault } from './faults.ts'

/** One line for people and editors: `FILE:LINE:COLUMN path: message (hint)` (contract 2). */
export function formatFault(fault: Fault): string {
  const where = `${fault.file}:${fault.line}:${fault.column}`
  const path = fault.path === '' ? '' : ` ${fault.path}`
  const hint = fault.hint === undefined ? '' : ` (${fault.hint})`
  return `${where}${path}: ${fault.message}${hint}`
}
