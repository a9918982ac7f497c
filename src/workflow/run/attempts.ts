import type { Cancellation } from '../../model/cancellation.ts'
import type { JsonObject } from '../../model/json.ts'
import type { CallCommand, Command, Event } from '../advance/event.ts'
import type { RunState } from '../run-state.ts'
import { type Attempt, type AttemptEnd, keyOf, startAttempt } from './attempt.ts'
import { BackendQuestions } from './backend-questions.ts'
import { type AskedQuestion, EngineError, type Ports, type RunCaller } from './ports.ts'

export interface AttemptsOptions<Context> {
  readonly ports: Pick<Ports<Context>, 'call' | 'now' | 'setTimer'>
  /** For whom is called: asked each time. */
  readonly caller: () => RunCaller<Context> | undefined
  readonly feed: (event: Event) => void
  /** A backend asks something inside of a call. */
  readonly onQuestion: (question: AskedQuestion) => void
}

/** The calls of a run that are under way, and what backends ask inside of them. */
export class Attempts<Context> {
  readonly questions = new BackendQuestions()
  readonly #options: AttemptsOptions<Context>
  readonly #running = new Map<string, Attempt>()

  constructor(options: AttemptsOptions<Context>) {
    this.#options = options
  }

  get size(): number {
    return this.#running.size
  }

  /** Whether some are left when these commands have been performed. */
  goOnAfter(commands: readonly Command[]): boolean {
    const cancelled = commands.flatMap((command) => (command.type === 'cancel' ? keyOf(command) : []))
    return [...this.#running.keys()].some((key) => !cancelled.includes(key))
  }

  start(command: CallCommand, { id: runId }: Pick<RunState, 'id'>): void {
    const { ports, feed } = this.#options
    const caller = this.#options.caller()
    if (!caller) return
    const { path, attempt, step, tool, workflow, enters, arguments: given, idempotencyKey, ownTimeout } = command
    const key = keyOf(command)
    const started = startAttempt({
      timeoutMs: command.timeoutMs,
      clock: ports,
      call: async (signal) => {
        const { context } = this.#options.caller() ?? caller
        const ask = (question: JsonObject, wanted?: Cancellation) => this.#park(command, key, question, wanted)
        const call = {
          runId,
          workflow,
          ...(enters !== undefined && { enters }),
          step,
          attempt,
          tool,
          arguments: given,
          idempotencyKey,
          ownTimeout,
          context,
          ask,
        }
        return ports.call(call, signal)
      },
      onEnd: (end: AttemptEnd) => {
        if (this.#running.get(key) === started) this.#running.delete(key)
        this.questions.withdraw(key, 'The call has ended')
        feed({ type: 'ended', at: ports.now(), path, attempt, ...end })
      },
    })
    this.#running.set(key, started)
  }

  /** `key`: as `keyOf` has it. */
  end(key: string, why: Error): void {
    const attempt = this.#running.get(key)
    if (!attempt) return
    this.#running.delete(key)
    attempt.cancel(why)
    this.questions.withdraw(key, why.message)
  }

  endAll(why: Error): void {
    for (const key of this.#running.keys()) this.end(key, why)
  }

  #park(command: CallCommand, key: string, question: JsonObject, wanted?: Cancellation): Promise<JsonObject> {
    const { ports, feed, onQuestion } = this.#options
    const { path, attempt, step } = command
    const running = this.#running.get(key)
    if (!running) return Promise.reject(new EngineError('withdrawn', 'The call has ended'))
    const goOn = running.hold()
    const release = (): void => {
      goOn()
      if (this.#running.has(key)) feed({ type: 'resumed', at: ports.now(), path, attempt })
    }
    const { asked, answer } = this.questions.ask(step, key, question, release, wanted)
    feed({ type: 'parked', at: ports.now(), path, attempt })
    onQuestion(asked)
    return answer
  }
}
