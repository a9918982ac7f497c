import type { Pinned } from '../aggregation/pinning/lock.ts'
import { visible } from '../aggregation/suspicion/hidden.ts'
import { type Finding, RULES } from '../aggregation/suspicion/rules.ts'
import { paintFor, print } from './terminal.ts'

/** `github: tool "search"`, fit for a terminal. */
export function subjectText({ backend, kind, name }: Pinned): string {
  return kind === 'instructions' ? `${visible(backend)}: instructions` : `${visible(backend)}: ${kind} ${quoted(name)}`
}

const quoted = (name: string): string => `"${visible(name)}"`

/** What is suspicious about one definition, in one line. */
export function findingText(finding: Finding): string {
  return `${subjectText(finding)} ${RULES[finding.rule]} (${finding.rule}, ${finding.where}): ${finding.excerpt}`
}

/** The section that people are shown. */
export function printSuspicious(findings: readonly Finding[]): void {
  if (findings.length === 0) return
  const paint = paintFor(process.stdout)
  print(`\n${paint.warn('suspicious')}: read these before a model does`)
  for (const finding of findings) print(`  ${findingText(finding)}`)
}
