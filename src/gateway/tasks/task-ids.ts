import type { TaskNames } from '../../backends/leg.ts'
import type { Ask } from '../../model/call.ts'
import type { BackendId } from '../../model/ids.ts'
import { backendId } from '../../model/ids.ts'
import type { JsonValue } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import type { Principal } from '../../model/principal.ts'
import { principalKey } from '../../model/principal.ts'
import type { Sealer } from '../../protocol/sealed.ts'

/** A longer one would not fit into a token, nor a token into a header. */
const MAX_ID = 2048

/** A task as its backend knows it. */
export interface TaskAt {
  backend: BackendId
  id: string
}

/** Who performs a task: a backend, or the gateway itself as a run of a composite tool. */
export type OpenedTask = ({ readonly kind: 'backend' } & TaskAt) | { readonly kind: 'run'; readonly run: string }

/**
 * Task ids as callers see them: sealed, so that any replica finds the backend, a reload changes nothing while the backend
 * keeps its name, and nobody but the principal that was given one can use it. Clients compare ids, so the same task always
 * has the same one (until the sealing key is rotated; older ids go on working).
 */
export class TaskIds {
  readonly #sealer: () => Sealer
  /** Tasks that the gateway runs for callers who know nothing of them. */
  readonly #inside = new Map<string, Ask | undefined>()

  constructor(sealer: () => Sealer) {
    this.#sealer = sealer
  }

  /** `undefined`: the caller has nothing to do with this task, or its id is longer than any that can be carried. */
  shown({ backend, id }: TaskAt, principal: Principal): string | undefined {
    if (id.length > MAX_ID || this.#inside.has(keyOf(backend, id))) return undefined
    return this.#sealer().sealSteadily({ b: backend, i: id }, binding(principal))
  }

  /** `undefined`: not an id that this principal was given. */
  open(token: string, principal: Principal): OpenedTask | undefined {
    const opened = this.#sealer().open(token, binding(principal))
    if (!isObject(opened)) return undefined
    const { b: backend, i: id, r: run } = opened
    if (typeof run === 'string') return { kind: 'run', run }
    if (typeof backend !== 'string' || typeof id !== 'string') return undefined
    return { kind: 'backend', backend: backendId(backend), id }
  }

  /** The id of a run of a composite tool, which any replica finds in the store. */
  shownRun(run: string, principal: Principal): string {
    return this.#sealer().sealSteadily({ r: run }, binding(principal))
  }

  /** A progress token that outlives the request with which a task begins; it opens for this principal and backend. */
  progressToken(token: JsonValue, principal: Principal, backend: BackendId): string {
    return this.#sealer().seal({ token }, progressBinding(principal, backend))
  }

  namesOf(backend: BackendId): TaskNames {
    return {
      shown: (id, principal) => this.shown({ backend, id }, principal),
      native: (token, principal) => {
        const at = this.open(token, principal)
        return at?.kind === 'backend' && at.backend === backend ? at.id : undefined
      },
      asker: (id) => this.#inside.get(keyOf(backend, id)),
      progressToken: (token, principal) => {
        const opened = this.#sealer().open(token, progressBinding(principal, backend))
        return isObject(opened) ? opened['token'] : undefined
      },
    }
  }

  /** The caller does not hear of this task until the returned function is called; `ask` answers what it asks. */
  hide({ backend, id }: TaskAt, ask: Ask | undefined): () => void {
    const key = keyOf(backend, id)
    this.#inside.set(key, ask)
    return () => this.#inside.delete(key)
  }
}

function keyOf(backend: BackendId, id: string): string {
  return `${backend}\n${id}`
}

function progressBinding(principal: Principal, backend: BackendId): string {
  return `progress ${backend} ${principalKey(principal)}`
}

function binding(principal: Principal): string {
  return `task ${principalKey(principal)}`
}
