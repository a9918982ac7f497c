import type { Cancellation } from '../../model/cancellation.ts'
import type { JsonObject } from '../../model/json.ts'
import { type AskedQuestion, type Clock, EngineError, StepError } from './ports.ts'

interface Open {
  readonly asked: AskedQuestion & { readonly mode: 'backend' }
  readonly settle: (answer: JsonObject | Error) => void
  stopTimer?: () => void
}

/** What backends ask while their calls wait. The calls are here, and so are their questions: they survive no restart. */
export class BackendQuestions {
  readonly #open = new Map<string, Open>()
  #count = 0

  get list(): readonly AskedQuestion[] {
    return [...this.#open.values()].map(({ asked }) => asked)
  }

  /** `release`: called as soon as the question is no more, before anybody learns of it. */
  ask(step: string, key: string, question: JsonObject, release: () => void, signal?: Cancellation) {
    const id = `${key}#${++this.#count}`
    const asked = { id, step, mode: 'backend', question } as const
    const { promise: answer, resolve, reject } = Promise.withResolvers<JsonObject>()
    const settle = (how: JsonObject | Error): void => {
      const open = this.#open.get(id)
      if (!open) return
      open.stopTimer?.()
      this.#open.delete(id)
      signal?.offCancel(settle)
      release()
      if (how instanceof Error) reject(how)
      else resolve(how)
    }
    this.#open.set(id, { asked, settle })
    signal?.onCancel(settle)
    return { asked, answer }
  }

  /** False: there is no such question. */
  answer(id: string, answer: JsonObject | Error): boolean {
    const open = this.#open.get(id)
    open?.settle(answer)
    return open !== undefined
  }

  /** The user has been shown them, and has so long. */
  expireIn(ms: number, clock: Clock): void {
    for (const open of this.#open.values()) {
      open.stopTimer ??= clock.setTimer(ms, () => open.settle(new StepError('timeout', 'Nobody answered in time')))
    }
  }

  /** Withdraws those of one attempt. */
  withdraw(key: string, why: string): void {
    for (const [id, { settle }] of this.#open) if (id.startsWith(`${key}#`)) settle(new EngineError('withdrawn', why))
  }
}
