import { Cancellation } from '../../model/cancellation.ts'
import type { JsonObject } from '../../model/json.ts'
import type { Reply } from '../advance/event.ts'
import { checkAnswers, toReply } from './answers.ts'
import { type AskedQuestion, EngineError, type Ports, RefusedQuestion, type RunCaller } from './ports.ts'

export interface AskingOptions {
  readonly ports: Pick<Ports<never>, 'check' | 'setTimer'>
  /** How long the user may take when nobody says so. */
  readonly askMs: () => number
  readonly onReply: (reply: Reply) => void
  /** The answer to what a backend asks. */
  readonly onBackendAnswer: (question: string, answer: JsonObject | Error) => void
  /** The caller is gone. */
  readonly onGone: (why: Error) => void
}

/** Questions that are put to a caller who answers at once. */
export class Asking {
  readonly #options: AskingOptions
  readonly #asked = new Map<string, Cancellation>()

  constructor(options: AskingOptions) {
    this.#options = options
  }

  /** Unless it is being asked. */
  put(question: AskedQuestion, ask: NonNullable<RunCaller<never>['ask']>): void {
    if (!this.#asked.has(question.id)) void this.#put(question, ask)
  }

  withdraw(id: string, why: EngineError): void {
    this.#asked.get(id)?.cancel(why)
  }

  withdrawAll(why: EngineError): void {
    for (const signal of this.#asked.values()) signal.cancel(why)
  }

  async #put(question: AskedQuestion, ask: NonNullable<RunCaller<never>['ask']>): Promise<void> {
    const { ports, askMs, onReply, onBackendAnswer, onGone } = this.#options
    const { id, mode } = question
    const waitMs = question.mode === 'backend' ? undefined : question.waitMs
    const signal = new Cancellation()
    this.#asked.set(id, signal)
    const stopTimer = ports.setTimer(waitMs ?? askMs(), () => {
      const expired = new EngineError('expired', 'Nobody answered in time')
      signal.cancel(expired)
      if (mode === 'backend') onBackendAnswer(id, expired)
      else onReply({ question: id, action: 'expired' })
    })
    try {
      const answer = await ask(question, signal)
      if (signal.cancelled) return
      checkAnswers({ open: [{ question, answer }] }, ports.check)
      const reply = mode === 'backend' ? undefined : toReply(id, answer)
      if (reply) onReply(reply)
      else onBackendAnswer(id, answer)
    } catch (thrown) {
      if (signal.cancelled) return
      const error = thrown instanceof Error ? thrown : new Error(String(thrown))
      if (mode === 'backend') onBackendAnswer(id, error)
      else if (error instanceof EngineError && error.kind === 'invalid') {
        onReply({ question: id, action: 'cancel', reason: error.message })
      } else if (error instanceof RefusedQuestion) {
        const reason = `The client cannot be asked this question: ${error.message}`
        onReply({ question: id, action: 'unaskable', reason })
      } else onGone(error)
    } finally {
      stopTimer()
      this.#asked.delete(id)
    }
  }
}
