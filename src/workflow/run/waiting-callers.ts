import type { Cancellation } from '../../model/cancellation.ts'
import { type EngineError, type RunCaller, type Turn, UNKNOWN } from './ports.ts'

/** Those who wait for the turn of a run that is under way. */
export class WaitingCallers<Context> {
  /** The one for whom is called and asked, whether or not it still waits. */
  latest: RunCaller<Context> | undefined
  readonly #onDesert: () => void
  /** What happens when they wait no more. */
  readonly #parties = new Map<Cancellation, () => void>()
  #turn: PromiseWithResolvers<Turn> | undefined

  /** `onDesert`: the last of them wants the run no more. */
  constructor(onDesert: () => void) {
    this.#onDesert = onDesert
  }

  get isTurn(): boolean {
    return this.#turn !== undefined
  }

  /** The turn that is under way, or a new one. */
  join(caller: RunCaller<Context>): Promise<Turn> {
    this.latest = caller
    this.#turn ??= Promise.withResolvers<Turn>()
    const { signal } = caller
    const { promise } = this.#turn
    if (!this.#parties.has(signal)) {
      const leave = (): void => {
        this.#parties.delete(signal)
        if (this.#parties.size === 0) this.#onDesert()
      }
      this.#parties.set(signal, leave)
      signal.onCancel(leave)
    }
    return promise
  }

  end(turn: Turn): void {
    this.#turn?.resolve(turn)
    this.#turn = undefined
    for (const [signal, leave] of this.#parties) signal.offCancel(leave)
    this.#parties.clear()
  }

  fail(error: EngineError): void {
    this.#turn?.reject(error)
    this.end(UNKNOWN)
  }
}
