import { createHash } from 'node:crypto'
import type { Call, Context } from '../../model/call.ts'
import { canonicalJson } from '../../model/canonical-json.ts'
import type { JsonValue } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import { type Principal, principalKey } from '../../model/principal.ts'
import type { Sealer } from '../../protocol/sealed.ts'

/** What a `requestState` of ours says. */
export type RequestState = Parked | Again | WaitingRun

/** The call waits in this process, in its n-th round of questions. */
export interface Parked {
  kind: 'parked'
  id: string
  round: number
}

/** The call has ended, and may be made again when the user agrees. `consent`: to the sign-in with this id. */
export interface Again {
  kind: 'again'
  consent?: string
}

/**
 * A run of a workflow waits, in its store, with these questions open. `revision`: of the run when it asked, which says what the
 * client has been shown. It refuses no answer: a question stays open while other steps change its run, and two who answer at
 * once are told apart where the run lies. `isTask`: it began as one that may go on without a request.
 */
interface WaitingRun {
  kind: 'run'
  id: string
  revision: number
  questions: readonly string[]
  isTask: boolean
}

/** Opens only for the principal and the request that it was given for. */
export function sealState(sealer: Sealer, state: RequestState, call: Call, context: Context): string {
  return sealer.seal({ ...state } as unknown as JsonValue, binding(call, context.principal))
}

/** What calls bring, which several layers ask for. */
const opened = new WeakMap<Call, { sealer: Sealer; principal: Principal; state: RequestState | undefined }>()

/** What the `requestState` of this call says. `undefined`: it has none, or not one of ours for this request. */
export function openState(sealer: Sealer, call: Call, { principal }: Context): RequestState | undefined {
  const { requestState } = call.params
  if (typeof requestState !== 'string') return undefined
  const known = opened.get(call)
  if (known?.sealer === sealer && known.principal === principal) return known.state
  const state = stateIn(sealer.open(requestState, binding(call, principal)))
  opened.set(call, { sealer, principal, state })
  return state
}

/** Whether this request goes on with a call, or a run of a workflow, that waits for it. */
export function goesOn(sealer: Sealer, call: Call, context: Context): boolean {
  const kind = openState(sealer, call, context)?.kind
  return kind === 'parked' || kind === 'run'
}

/** A token may have been sealed by another version of the gateway: it is ours only when it has all that its kind has. */
function stateIn(value: JsonValue | undefined): RequestState | undefined {
  if (!isObject(value)) return undefined
  const { kind, id, round, consent, revision, questions, isTask } = value
  switch (kind) {
    case 'parked':
      return typeof id === 'string' && typeof round === 'number' ? { kind, id, round } : undefined
    case 'again':
      return { kind, ...(typeof consent === 'string' && { consent }) }
    case 'run':
      return typeof id === 'string' && typeof revision === 'number' && isTexts(questions)
        ? { kind, id, revision, questions, isTask: isTask === true }
        : undefined
    default:
      return undefined
  }
}

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'string')

function binding(call: Call, principal: Principal): string {
  const { kind, params } = call
  const what = kind === 'vendor' ? `${kind} ${call.method}` : kind
  const { _meta, inputResponses: _responses, requestState: _state, ...request } = params
  const digest = createHash('sha256').update(canonicalJson(request)).digest('base64url')
  return `state ${what} ${digest} ${principalKey(principal)}`
}
