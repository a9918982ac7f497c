import type { StepReport } from '../run-state.ts'
import type { GraphNode } from './drawable.ts'

/** One line of a step's box, and what it tells. */
export interface Word {
  readonly role: 'id' | 'calls' | 'notes' | 'state' | 'error'
  readonly text: string
}

const LONGEST_NAME = 80
const LONGEST_ERROR = 160

/** What is written into the box of a step. Every text is one line. */
export function wordsOf(node: GraphNode, report: StepReport | undefined): Word[] {
  const notes = [...(node.conditional ? ['conditional'] : []), ...node.policies]
  const words: Word[] = [
    { role: 'id', text: oneLine(node.id, LONGEST_NAME) },
    { role: 'calls', text: deedOf(node) },
  ]
  if (notes.length > 0) words.push({ role: 'notes', text: notes.join(', ') })
  if (report) words.push({ role: 'state', text: stateOf(report) })
  if (report?.error !== undefined) words.push({ role: 'error', text: oneLine(report.error, LONGEST_ERROR) })
  return words
}

function deedOf({ kind, calls = '' }: GraphNode): string {
  const name = oneLine(calls, LONGEST_NAME)
  switch (kind) {
    case 'tool':
      return name
    case 'workflow':
      return `workflow ${name}`
    case 'forEach':
      return `for each ${name}`
    case 'question':
      return 'asks the user'
  }
}

function stateOf({ status, ms }: StepReport): string {
  return ms > 0 || status === 'completed' ? `${status} · ${durationOf(ms)}` : status
}

/** 850 ms, 1.2 s, 2 min 5 s. */
function durationOf(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`
  const seconds = Math.round(ms / 1_000)
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

/** Without joiners, which some scripts cannot be written without: what is no character, or reorders others. */
const UNSHOWABLE = /(?![\u200C\u200D])\p{C}/gu

/** At most `most` characters, none of which ends a line, changes the order of others or is forbidden in XML. */
export function oneLine(text: string, most: number): string {
  // An error may have megabytes.
  const near = text.slice(0, most * 8)
  const shown = Array.from(near.replaceAll(/\s+/gu, ' ').trim().replaceAll(UNSHOWABLE, '\uFFFD'))
  if (shown.length <= most && near.length === text.length) return shown.join('')
  return `${shown.slice(0, most - 1).join('')}…`
}
