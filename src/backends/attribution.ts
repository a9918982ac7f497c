import type { Deadline } from '../model/call.ts'
import { checkQuestion } from '../protocol/capabilities.ts'
import type { Message } from '../protocol/jsonrpc.ts'
import type { Answers, Scope } from './answers.ts'
import type { LegContext } from './leg.ts'
import { Undecided } from './undecided.ts'

/** Something that is in progress on a connection. */
export interface Candidate {
  /** Absent: a request of the gateway's own, which nothing can be about. */
  readonly scope: Scope | undefined
}

type Question = Message & { kind: 'request' }

/**
 * Which call a message belongs to that does not say so itself. Everybody's calls on one connection may be meant; an
 * answer must never come from the wrong one, so a question waits until one call is left that can have asked it.
 * Candidates are given with the oldest first.
 */
export class Attribution<Call extends Candidate> {
  readonly #context: LegContext
  readonly #answers: Answers
  readonly #undecided = new Undecided<Call>()

  constructor(context: LegContext, answers: Answers) {
    this.#context = context
    this.#answers = answers
  }

  question(message: Question, running: readonly Call[]): void {
    const { id } = message
    if (this.#undecided.has(id)) return
    const candidates = running.filter(({ scope }) => scope?.ask)
    const scope = this.#meant(candidates)
    if (scope || candidates.length === 0 || !this.#mayAsk(message) || this.#answers.askerOf(message.params)) {
      this.#take(message, scope)
      return
    }
    this.#undecided.hold(id, candidates, (chosen) => this.#take(message, chosen?.scope))
  }

  /** Whom a notification is for. `undefined`: nobody knows. */
  hearer(running: readonly Call[]): Scope | undefined {
    return this.#meant(running.filter(({ scope }) => scope?.onNotification))
  }

  /** The call was answered. */
  settled(call: Call): void {
    this.#undecided.settled(call)
  }

  /** The server does not want to know any more: JSON text of the id of its question. */
  drop(id: string): void {
    this.#undecided.drop(id)
  }

  end(): void {
    this.#undecided.end()
  }

  #take(message: Question, scope: Scope | undefined): void {
    scope?.deadline?.touch()
    this.#answers.take(message, scope)
  }

  /** The only one that can be meant; `undefined` when there are several. */
  #meant(candidates: readonly Call[]): Scope | undefined {
    const latest = candidates.at(-1)?.scope
    if (!latest || candidates.length === 1) return latest
    // Every call on the connection of a legacy session is that session's.
    return this.#context.client() ? { ...latest, deadline: together(candidates) } : undefined
  }

  #mayAsk({ method, params }: Question): boolean {
    if (method === 'ping') return false
    try {
      checkQuestion(this.#context.profile, method, params)
      return true
    } catch {
      return false
    }
  }
}

/** Any of several calls may be the one that waits for a person. */
export function together(calls: readonly Candidate[]): Deadline {
  return {
    touch: () => {
      for (const { scope } of calls) scope?.deadline?.touch()
    },
    hold: () => {
      const held = calls.map(({ scope }) => scope?.deadline?.hold())
      return () => {
        for (const release of held) release?.()
      }
    },
  }
}
