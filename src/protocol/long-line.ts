import type { LongLine } from './lines.ts'

const ID = String.raw`"id"\s*:\s*("(?:[^"\\]|\\.)*"|-?\d+)`
/** Before the first nested value a member belongs to the message itself. */
const AT_HEAD = new RegExp(String.raw`^\s*\{[^{}\[\]]*?${ID}`, 'u')
const METHOD = /^\s*\{[^{}[\]]*?"method"\s*:/u
/** Behind the last member only the message itself closes. */
const AT_TAIL = new RegExp(String.raw`[,{]\s*${ID}\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$`, 'u')

/** The id, as JSON text, of a request that was too long to be read; `null` when its ends do not tell (JSON-RPC 2.0, 5). */
export function idOfLong({ head, tail }: LongLine): string {
  if (!METHOD.test(head)) return 'null'
  return AT_HEAD.exec(head)?.[1] ?? AT_TAIL.exec(tail)?.[1] ?? 'null'
}
