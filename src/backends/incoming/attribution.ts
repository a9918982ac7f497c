import type { Deadline } from '../../model/call.ts'
import { checkQuestion } from '../../protocol/capabilities.ts'
import type { Message } from '../../protocol/jsonrpc.ts'
import type { Incoming, Scope } from './incoming.ts'
import type { LegContext } from '../leg.ts'
import { Undecided } from './undecided.ts'

/** Something that is in progress on a connection. */
export interface Candidate {
  /** Absent: a request of the gateway's own, which nothing can be about. */
  readonly scope: Scope | undefined
}

type Question = Message & { kind: 'request' }

/** A server that asks several things at once does so within this time; a call that has waited longer has asked them all. */
const BURST_MS = 1000
/** A server may not notice that a call was given up, and ask about it; for about this long. */
const LINGER_MS = 10_000
const MAX_LINGERING = 1000

/**
 * Which call a message belongs to that does not say so itself. Candidates are given with the oldest first.
 *
 * Where strangers share a connection, a question is put only to the one call that can be meant: before a wrong person it
 * would be worse than a tool that fails. Where all calls are one client's, a wrong guess costs little.
 */
export class Attribution<Call extends Candidate> {
  readonly #context: LegContext
  readonly #incoming: Incoming
  readonly #undecided = new Undecided<Call>()
  /** When calls were given up. */
  readonly #lingering: number[] = []

  constructor(context: LegContext, answers: Incoming) {
    this.#context = context
    this.#incoming = answers
  }

  question(message: Question, running: readonly Call[]): void {
    const { id } = message
    if (this.#undecided.has(id)) return
    const candidates = running.filter(({ scope }) => scope?.ask)
    if (!this.#context.oneClient()) return this.#take(message, this.#onlyOne(candidates))
    const scope = this.#meant(candidates)
    if (scope || candidates.length === 0 || !this.#mayAsk(message) || this.#incoming.askerOf(message.params)) {
      return this.#take(message, scope)
    }
    this.#undecided.hold(id, candidates, (chosen) => this.#take(message, (chosen ?? this.#likely(candidates))?.scope))
  }

  /** Whom a notification is for. `undefined`: nobody knows. */
  hearer(running: readonly Call[]): Scope | undefined {
    return this.#meant(running.filter(({ scope }) => scope?.onNotification))
  }

  /** The call was answered. */
  settled(call: Call): void {
    this.#undecided.settled(call)
  }

  /** Its caller wants no answer to the call any more. */
  abandoned({ scope }: Call): void {
    if (!scope?.ask || this.#context.oneClient()) return
    this.#lingering.push(performance.now())
    if (this.#lingering.length > MAX_LINGERING) this.#lingering.shift()
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
    this.#incoming.take(message, scope)
  }

  /** Of calls of strangers. */
  #onlyOne(candidates: readonly Call[]): Scope | undefined {
    const since = performance.now() - LINGER_MS
    while (this.#lingering[0] !== undefined && this.#lingering[0] < since) this.#lingering.shift()
    if (this.#lingering.length > 0) return undefined
    const [first, second] = candidates.filter(({ scope }) => !this.#incoming.waitsLonger(scope, BURST_MS))
    return first && !second ? first.scope : undefined
  }

  /** Of calls of one client: the oldest that does not wait for an answer already. */
  #likely(candidates: readonly Call[]): Call | undefined {
    const open = candidates.filter(({ scope }) => !scope?.signal.cancelled)
    return open.find(({ scope }) => !this.#incoming.waitsLonger(scope, 0)) ?? open[0]
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
