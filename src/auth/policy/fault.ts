import type { DetailedError } from './cedar.ts'
import { lineAndColumn, utf16Offset } from './scan.ts'

/** One thing that is wrong with policies. */
export interface PolicyFault {
  where: 'policies' | 'trialPolicies' | 'entitiesJson' | 'groupEntityType'
  /** Place in the list of policies. */
  index?: number
  /** Of the policy, when it could be read. */
  policy?: string
  /** Both 1-based, within the text of that place. */
  line: number
  column: number
  message: string
  /** The way out. */
  hint?: string
  severity: 'error' | 'warning'
}

/** `offset` is UTF-16, within the text at `index`. */
export function faultAt(
  policies: readonly string[],
  index: number,
  offset: number,
  message: string,
  hint?: string,
  severity: PolicyFault['severity'] = 'error',
): PolicyFault {
  const at = lineAndColumn(policies[index] ?? '', offset)
  return { where: 'policies', index, ...at, message, ...(hint === undefined ? {} : { hint }), severity }
}

/** Where in a policy's text the engine points. */
export function offsetOf(text: string, error: DetailedError): number {
  return Math.min(utf16Offset(text, error.sourceLocations?.[0]?.start ?? 0), text.length)
}
