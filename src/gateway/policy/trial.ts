import type { Decision } from '../../auth/policy/decision.ts'
import { decide } from '../../auth/policy/decide.ts'
import { listFilter } from '../../auth/policy/list.ts'
import type { PolicyRequest } from '../../auth/policy/request.ts'
import type { PolicySet } from '../../auth/policy/set.ts'
import type { Catalogue } from '../../model/catalogue.ts'
import type { Principal } from '../../model/principal.ts'
import { clip } from '../../protocol/clip.ts'
import type { Telemetry } from '../../telemetry/events.ts'
import { nameOf, told } from './told.ts'

/** Names that one line of the log holds. */
const MAX_NAMES = 20

/** Policies on trial: they decide nothing, and what they would have decided otherwise is told. */
export class Trial {
  readonly #set: PolicySet
  readonly #telemetry: Telemetry

  constructor(set: PolicySet, telemetry: Telemetry) {
    this.#set = set
    this.#telemetry = telemetry
  }

  /** A call was decided. */
  decided(request: PolicyRequest, decision: Decision): void {
    const would = decide(this.#set, request)
    if (would.kind === decision.kind) return
    this.#telemetry.emit('policy.trial', {
      ...told(request),
      now: decision.kind,
      would: would.kind,
      by: would.by,
    })
  }

  /** A list was made. */
  async listed(catalogue: Catalogue, shown: Catalogue, principal: Principal): Promise<void> {
    const kinds = ['tool', 'prompt', 'resource', 'template'] as const
    const [gained, lost]: [string[], string[]] = [[], []]
    for (const kind of kinds) {
      const would = await listFilter(this.#set, principal, kind, catalogue[`${kind}s`])
      const now = shown[`${kind}s`]
      for (const name of would.keys()) if (!now.has(name)) gained.push(name)
      for (const name of now.keys()) if (!would.has(name)) lost.push(name)
    }
    const telling = (names: string[]): string[] => names.slice(0, MAX_NAMES).map(clip)
    if (gained.length + lost.length === 0) return
    this.#telemetry.emit('policy.trial-list', {
      principal: nameOf(principal),
      gained: telling(gained),
      lost: telling(lost),
      more: gained.length + lost.length - telling(gained).length - telling(lost).length,
    })
  }
}
