import type { Outcome } from '../../model/call.ts'
import type { JsonObject } from '../../model/json.ts'

/** Questions to a modern client, which repeats its request with the answers (2026-07-28, multi round-trip requests). */
export function needsInput(inputRequests: JsonObject, requestState: string): Outcome {
  return { kind: 'needs-input', value: { resultType: 'input_required', inputRequests, requestState } }
}
