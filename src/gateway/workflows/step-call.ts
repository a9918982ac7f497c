import type { Call, Context, Core } from '../../model/call.ts'
import type { Cancellation } from '../../model/cancellation.ts'
import { type ErrorCode, GatewayError } from '../../model/errors.ts'
import { isObject } from '../../model/json.ts'
import type { Principal } from '../../model/principal.ts'
import { canBeAsked, withoutTasks } from '../../protocol/capabilities.ts'
import { VENDOR_META } from '../../protocol/envelope.ts'
import { type StepCall, StepError, type StepResult } from '../../workflow/run/ports.ts'
import { stepResult } from '../../workflow/run/result.ts'
import { askAndRepeat } from '../questions/rounds.ts'

/**
 * The call of a step: it enters the core at its top, with the caller as it is now, and is judged, limited and observed as any
 * other. Rejects with `StepError`, and with the signal's reason. `shownName`: of a composite tool that is configured.
 */
export async function callStep(
  core: Core,
  step: StepCall<Context>,
  signal: Cancellation,
  shownName: (workflow: string) => string | undefined,
): Promise<StepResult> {
  const context = contextOf(step, signal)
  checkAlive(context.principal)
  const { enters } = step
  const name = enters === undefined ? step.tool : shownName(enters)
  // One that is no longer configured, and goes on as it was, is forbidden to nobody.
  if (name === undefined) return { output: {} }
  const _meta = { [VENDOR_META.idempotencyKey]: step.idempotencyKey }
  const call: Call = { kind: 'tool', name, params: { name, arguments: step.arguments, _meta } }
  try {
    const first = await core.invoke(call, context)
    const outcome = first.kind === 'needs-input' ? await askAndRepeat(core, call, context, first) : first
    if (outcome.kind === 'result') return stepResult(outcome.value)
    outcome.stream.abort(new Error('nobody asked for a stream'))
    throw new StepError('error', 'the tool answered with a stream that nobody asked for')
  } catch (error) {
    signal.throwIfCancelled()
    throw stepError(error)
  }
}

function contextOf(
  { context, ask, workflow, enters, runId, step, ownTimeout }: StepCall<Context>,
  signal: Cancellation,
): Context {
  const { emit, profile } = context
  const asked = context.ask !== undefined || (context.era === 'modern' && canBeAsked(profile))
  return {
    ...context,
    profile: withoutTasks(profile),
    step: { workflow, run: runId, step, ownTimeout, ...(enters !== undefined && { enters }) },
    signal,
    deadline: undefined,
    streaming: false,
    // Progress is that of the run.
    emit: emit && ((notification) => void (notification.method === 'notifications/message' && emit(notification))),
    flow: undefined,
    letGo: undefined,
    ask: asked ? ({ method, params }, asking) => ask({ method, params }, asking) : undefined,
    header: undefined,
  }
}

/** A run may outlive the token that began it. */
function checkAlive(principal: Principal): void {
  if (principal.kind === 'anonymous' || principal.expiresAt === undefined || principal.expiresAt > Date.now()) return
  const at = new Date(principal.expiresAt).toISOString()
  throw new StepError('credential', `CREDENTIAL_EXPIRED: the token of the caller expired at ${at}; sign in again`)
}

/** What a failure is to a run. A code that is not here says that the tool has failed. */
const KINDS: Partial<Record<ErrorCode, StepError['kind']>> = {
  POLICY_DENIED: 'denied',
  RATE_LIMITED: 'limited',
  TOO_MANY_OPEN: 'limited',
  NOT_AVAILABLE: 'unavailable',
  BACKEND_UNREACHABLE: 'lost',
  BACKEND_BUSY: 'unavailable',
  BACKEND_PROTOCOL: 'lost',
  DEADLINE_EXCEEDED: 'timeout',
  CONSENT_NEEDED: 'credential',
  CREDENTIAL_UNAVAILABLE: 'credential',
  SHUTTING_DOWN: 'lost',
}

function stepError(error: unknown): Error {
  if (!(error instanceof GatewayError)) return error instanceof Error ? error : new Error(String(error))
  const { code, message, unsent } = error as GatewayError
  const kind = unsent && code === 'BACKEND_UNREACHABLE' ? 'unavailable' : KINDS[code]
  return new StepError(kind ?? 'error', message, retryAfter(error))
}

function retryAfter({ data }: GatewayError): number | undefined {
  const seconds = isObject(data) ? data['retryAfterSeconds'] : undefined
  return typeof seconds === 'number' ? seconds * 1000 : undefined
}
