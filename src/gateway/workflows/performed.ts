import type { Context } from '../../model/call.ts'
import { principalKey } from '../../model/principal.ts'
import type { Turn } from '../../workflow/run/ports.ts'
import { showAs } from './lasting-context.ts'
import { type Runs, MOST_OPEN } from './runs.ts'

/** How often is looked what other processes have ended. */
const LOOK_MS = 2000

interface Performance {
  readonly run: string
  readonly context: Context
}

/** Runs that go on here although nobody may wait for them, each in the contexts of those who have made it go on. */
export class Performed {
  readonly #runs: () => Runs
  readonly #performances = new Map<string, Set<Performance>>()
  /** Called when a turn of a run is over. */
  readonly #onTurn: (run: string) => void
  #timer: NodeJS.Timeout | undefined

  constructor(runs: () => Runs, onTurn: (run: string) => void) {
    this.#runs = runs
    this.#onTurn = onTurn
  }

  has(run: string): boolean {
    return this.#performances.has(run)
  }

  /** Until the turn is over. */
  add(run: string, context: Context, turn: Promise<Turn>): void {
    const performance = { run, context }
    const performances = this.#performances.get(run) ?? new Set()
    this.#performances.set(run, performances.add(performance))
    this.#timer ??= setInterval(() => void this.#endAll(), LOOK_MS).unref()
    const over = (): void => {
      performances.delete(performance)
      if (performances.size === 0) this.#performances.delete(run)
      if (this.#performances.size === 0) this.#stop()
      this.#onTurn(run)
    }
    turn.then(over, over)
  }

  /** Steps go out with what this request shows from now on. */
  showAs(run: string, context: Context): void {
    for (const performance of this.#performances.get(run) ?? []) showAs(performance.context, context)
  }

  /** Ends here what was ended elsewhere: by its owner, say, at another gateway. */
  async #endAll(): Promise<void> {
    const all = [...this.#performances.values()].flatMap(([one]) => one ?? [])
    for (const performances of Map.groupBy(all, ({ context }) => principalKey(context.principal)).values()) {
      await this.#endThose(performances).catch(() => {})
    }
  }

  /** They belong to one principal. */
  async #endThose(performances: readonly Performance[]): Promise<void> {
    const principal = performances[0]?.context.principal
    if (!principal) return
    const runs = this.#runs()
    const open = await runs.list({ status: ['running', 'suspended'], limit: MOST_OPEN }, principal)
    const ids = new Set(open.map(({ id }) => id))
    for (const { run } of performances) {
      // One that is new may not lie there yet.
      const record = ids.has(run) ? undefined : await runs.record(run, principal)
      if (record?.look.kind === 'finished') await runs.cancel(run, principal)
    }
  }

  #stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
