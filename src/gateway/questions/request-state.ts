import { createHash } from 'node:crypto'
import type { Call, Context } from '../../model/call.ts'
import { canonicalJson } from '../../model/canonical-json.ts'
import type { JsonObject } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import { principalKey } from '../../model/principal.ts'
import type { Sealer } from '../../protocol/sealed.ts'

/**
 * What a `requestState` of ours says: the call waits in this process, in its n-th round of questions;
 * or the call has ended, and may be made again when the user agrees; `consent`: to the sign-in with this id;
 * or a run of a workflow waits, in its store, with these questions open. `isTask`: it began as one that may go on without
 * a request.
 */
export type RequestState =
  | { kind: 'parked'; id: string; round: number }
  | { kind: 'again'; consent: string | undefined }
  | { kind: 'run'; id: string; revision: number; questions: readonly string[]; isTask: boolean }

/** Opens only for the principal and the request that it was given for. */
export function sealState(sealer: Sealer, state: RequestState, call: Call, context: Context): string {
  return sealer.seal(contentOf(state), binding(call, context))
}

function contentOf(state: RequestState): JsonObject {
  switch (state.kind) {
    case 'parked':
      return { id: state.id, round: state.round }
    case 'again':
      return state.consent === undefined ? {} : { consent: state.consent }
    case 'run':
      return {
        run: state.id,
        revision: state.revision,
        questions: [...state.questions],
        ...(state.isTask && { task: true }),
      }
  }
}

/** `undefined`: not one of ours for this request. */
export function openState(sealer: Sealer, token: unknown, call: Call, context: Context): RequestState | undefined {
  const state = typeof token === 'string' ? sealer.open(token, binding(call, context)) : undefined
  if (!isObject(state)) return undefined
  const { id, round, consent, run, revision, questions, task } = state
  if (typeof run === 'string' && typeof revision === 'number' && Array.isArray(questions)) {
    const asked = questions.filter((one) => typeof one === 'string')
    return { kind: 'run', id: run, revision, questions: asked, isTask: task === true }
  }
  if (typeof id === 'string' && typeof round === 'number') return { kind: 'parked', id, round }
  return { kind: 'again', consent: typeof consent === 'string' ? consent : undefined }
}

function binding(call: Call, { principal }: Context): string {
  const { kind, params } = call
  const what = kind === 'vendor' ? `${kind} ${call.method}` : kind
  const { _meta, inputResponses: _responses, requestState: _state, ...request } = params
  const digest = createHash('sha256').update(canonicalJson(request)).digest('base64url')
  return `state ${what} ${digest} ${principalKey(principal)}`
}
