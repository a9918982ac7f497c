import type { Contribution } from './contribution.ts'

const MOST_BYTES = 16 * 1024
const CUT = '\n[cut]'

/**
 * The instructions of all reachable backends under headings, 16 KiB of text at most; those of a single configured backend
 * unchanged. When they do not fit, the longest are cut, so that one talkative backend does not silence the others.
 */
export function mergeInstructions(contributions: readonly Contribution[]): string | undefined {
  const told = contributions.flatMap(({ backend, lists, reachable }) => {
    const text = reachable ? lists?.instructions : undefined
    return typeof text === 'string' && text.trim() !== '' ? [{ heading: `## ${backend}\n\n`, text }] : []
  })
  if (contributions.length === 1) return told[0]?.text
  if (told.length === 0) return undefined

  const separators = 2 * (told.length - 1)
  const headings = told.reduce((sum, { heading }) => sum + Buffer.byteLength(heading), separators)
  const share = fairShare(
    told.map(({ text }) => Buffer.byteLength(text)),
    MOST_BYTES - headings,
  )
  return told.map(({ heading, text }) => heading + cutTo(text, share)).join('\n\n')
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
