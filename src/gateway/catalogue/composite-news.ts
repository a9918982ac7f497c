import type { Telemetry } from '../../telemetry/events.ts'
import type { Composite } from '../workflows/compiled-composites.ts'
import type { CompositeStatus } from '../workflows/composite-status.ts'

/** Tells the operator which composite tools can be called, and which cannot: each once, until that changes. */
export class CompositeNews {
  readonly #telemetry: Telemetry
  readonly #told = new Map<string, string>()

  constructor(telemetry: Telemetry) {
    this.#telemetry = telemetry
  }

  /** `early`: those that wait may not have to wait for long. */
  tell(composites: ReadonlyMap<string, Composite>, early: boolean): void {
    for (const [workflow, { status }] of composites) {
      if (early && status.kind === 'waiting') continue
      const before = this.#told.get(workflow)
      const now = status.kind === 'ready' ? '' : status.why
      this.#told.set(workflow, now)
      if (before !== now && (before !== undefined || status.kind !== 'ready')) this.#emit(workflow, status)
    }
  }

  #emit(workflow: string, status: CompositeStatus): void {
    switch (status.kind) {
      case 'ready':
        return this.#telemetry.emit('workflow.ready', { workflow })
      case 'waiting':
        return this.#telemetry.emit('workflow.waiting', { workflow, why: status.why })
      case 'withdrawn': {
        const { why, hint } = status
        return this.#telemetry.emit('workflow.withdrawn', { workflow, why, ...(hint !== undefined && { hint }) })
      }
    }
  }
}
