import type { Reply } from '../backends/leg.ts'
import type { Outcome } from '../model/call.ts'

/** A backend's answer: what it has to say, or what it needs to know first. */
export function outcomeOf(reply: Reply): Outcome {
  const asks = reply.kind === 'result' && reply.era === 'modern' && reply.value['resultType'] === 'input_required'
  return asks ? { kind: 'needs-input', value: reply.value } : reply
}
