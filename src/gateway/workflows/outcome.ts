import type { Outcome } from '../../model/call.ts'
import { isObject, type JsonObject } from '../../model/json.ts'
import { VENDOR_META } from '../../protocol/envelope.ts'
import type { Turn } from '../../workflow/run/ports.ts'
import type { NotReady } from './composite-status.ts'

type Result = Outcome & { kind: 'result' }

/** What a run has come to, as the result of the tool: structured, as text, and with its steps in `_meta` (contract 7). */
export function resultOf({ outcome, reports, runId }: Turn & { kind: 'finished' }, workflow: string): Result {
  const steps = reports.map((report): JsonObject => ({ ...report }))
  const _meta = { [VENDOR_META.workflow]: steps, [VENDOR_META.run]: runId }
  if (outcome.status === 'completed') {
    const { output } = outcome
    const structuredContent = isObject(output) ? output : { result: output }
    const text = JSON.stringify(structuredContent)
    return result({ content: [{ type: 'text', text }], structuredContent, _meta })
  }
  const { message, step } = outcome.error
  const where = step === undefined ? '' : ` at step "${step}"`
  const text = `Workflow "${workflow}" ${HOW[outcome.status]}${where}: ${message}`
  return result({ content: [{ type: 'text', text }], isError: true, _meta })
}

const HOW = {
  failed: 'failed',
  cancelled: 'was cancelled',
  timed_out: 'timed out',
  interrupted: 'was interrupted',
} as const

const result = (value: JsonObject): Result => ({ kind: 'result', value, era: 'legacy' })

/** The composite tool is there, and cannot be called now. */
export function notReadyResult(workflow: string, { kind, why }: NotReady): Outcome {
  const state = NOT_READY[kind]
  return result({ content: [{ type: 'text', text: `Workflow "${workflow}" ${state}: ${why}` }], isError: true })
}

const NOT_READY = {
  waiting: 'cannot be called yet',
  withdrawn: 'is withdrawn, since it does not fit the tools that there are',
} as const

/** Arguments that do not fit are for the model to mend (2025-11-25, tools, "Error Handling"). */
export function argumentsResult(workflow: string, problem: string): Outcome {
  const text = `Invalid arguments for "${workflow}": ${problem}`
  return result({ content: [{ type: 'text', text }], isError: true })
}
