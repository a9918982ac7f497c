import type { InstructionPart } from '../model/catalogue.ts'
import { isObject } from '../model/json.ts'
import type { Contribution } from './contribution.ts'
import { SKILLS_EXTENSION } from './extensions.ts'

const MOST_BYTES = 16 * 1024
const CUT = '\n[cut]'

/** What the reachable backends say of themselves, in configured order. */
export function instructionParts(contributions: readonly Contribution[]): readonly InstructionPart[] {
  return contributions.flatMap(({ backend, lists, reachable }) => {
    const text = reachable ? lists?.instructions : undefined
    if (typeof text !== 'string' || text.trim() === '') return []
    const heading = contributions.length > 1 ? { heading: `## ${backend}\n\n` } : {}
    return [{ backend, text, ...heading, skills: isObject(lists?.extensions?.[SKILLS_EXTENSION]) }]
  })
}

/**
 * The parts under headings, 16 KiB of text at most; that of a single configured backend unchanged. When they do not fit,
 * the longest are cut, so that one talkative backend does not silence the others.
 */
export function mergeInstructions(parts: readonly InstructionPart[]): string | undefined {
  const [only] = parts
  if (only === undefined) return undefined
  if (only.heading === undefined) return only.text

  const separators = 2 * (parts.length - 1)
  const headings = parts.reduce((sum, { heading = '' }) => sum + Buffer.byteLength(heading), separators)
  const share = fairShare(
    parts.map(({ text }) => Buffer.byteLength(text)),
    MOST_BYTES - headings,
  )
  return parts.map(({ heading = '', text }) => heading + cutTo(text, share)).join('\n\n')
}

/** The largest limit per item under which all items together fit. */
function fairShare(sizes: readonly number[], total: number): number {
  let left = total
  const ascending = [...sizes].sort((a, b) => a - b)
  for (const [index, size] of ascending.entries()) {
    const share = Math.floor(left / (ascending.length - index))
    if (size > share) return Math.max(0, share)
    left -= size
  }
  return Number.POSITIVE_INFINITY
}

function cutTo(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text
  // `encodeInto` stops before a character that does not fit whole.
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(Math.max(0, bytes - CUT.length)))
  return text.slice(0, read) + CUT
}
