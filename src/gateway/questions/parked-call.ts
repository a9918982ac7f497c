import type { UpstreamRequest } from '../../backends/leg.ts'
import type { Ask, Deadline, Flow, Notification, Question } from '../../model/call.ts'
import { Cancellation } from '../../model/cancellation.ts'
import { GatewayError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'

/** Questions that come together are asked together. */
const WINDOW_MS = 30

/** What one turn of a call comes to: its end, or questions to the caller. */
export type Turn<End> = { kind: 'end'; end: End } | { kind: 'questions'; round: number; questions: JsonObject }

/** One request of the client, as it would go upstream: what comes meanwhile goes back to it. */
export type Visitor = Pick<UpstreamRequest, 'signal' | 'deadline' | 'onNotification' | 'flow'>

interface Open {
  question: Question
  resolve: (answer: JsonObject) => void
  reject: (error: Error) => void
}

/**
 * A call of a modern client to a legacy backend that may ask back. The upstream request goes on while the client is
 * away answering: each request of the client is one *turn*, which ends with the result or with questions.
 * Nobody is attached between turns; what the backend reports then is dropped.
 */
export class ParkedCall<End> implements Deadline, Flow {
  /** Cancels the upstream request. */
  readonly signal = new Cancellation()
  /** Rounds of questions so far. */
  round = 0
  readonly #open = new Map<string, Open>()
  readonly #attached = new Set<Visitor>()
  /** What releases the deadlines that are held, by hold. */
  readonly #holds = new Set<(() => void)[]>()
  /** Wakes whoever waits until a caller reads. */
  readonly #drains = new Set<() => void>()
  #asked = 0
  #turn = Promise.withResolvers<Turn<End>>()
  #window: NodeJS.Timeout | undefined
  /** Settles the turn that runs; set when the upstream request has ended. */
  #finish: (() => void) | undefined

  /** Whether the upstream request has ended. */
  get ended(): boolean {
    return this.#finish !== undefined
  }

  /** Whether it waits for answers. */
  get parked(): boolean {
    return !this.ended && this.#attached.size === 0
  }

  /** The turn of this caller. Several callers may share one: a retry that was sent twice. */
  attach(visitor: Visitor): Promise<Turn<End>> {
    this.#attached.add(visitor)
    const { deadline } = visitor
    if (deadline) for (const releases of this.#holds) releases.push(deadline.hold())
    // Those who still have to wait enter it again.
    for (const wake of Array.from(this.#drains)) wake()
    visitor.signal.onCancel((reason) => this.#onGone(visitor, reason))
    return this.#turn.promise
  }

  end(end: Promise<End>): void {
    const finish = (settle: () => void): void => {
      this.#finish = settle
      clearTimeout(this.#window)
      this.#attached.clear()
      settle()
      for (const { reject } of this.#open.values()) reject(new GatewayError('CANCELLED', 'the call has ended'))
      this.#open.clear()
    }
    end.then(
      (value) => finish(() => this.#turn.resolve({ kind: 'end', end: value })),
      (error: unknown) => finish(() => this.#turn.reject(error)),
    )
    // A call that is cancelled while nobody waits for it fails unheard.
    this.#turn.promise.catch(() => {})
  }

  readonly ask: Ask = (question, signal) =>
    new Promise((resolve, reject) => {
      const key = `${question.method.split('/')[0]}-${++this.#asked}`
      this.#open.set(key, { question, resolve, reject })
      signal.onCancel((reason) => {
        this.#open.delete(key)
        reject(reason)
      })
      this.#window ??= setTimeout(() => this.#present(), WINDOW_MS)
    })

  /** Hands answers to the backend and begins the next turn. Questions without an answer are asked again. */
  answer(answers: JsonObject): void {
    this.#turn = Promise.withResolvers()
    this.#turn.promise.catch(() => {})
    // It may have ended while nobody waited for it.
    if (this.#finish) return this.#finish()
    for (const [key, { resolve }] of this.#open) {
      const answer = answers[key]
      if (answer === undefined) continue
      this.#open.delete(key)
      resolve(answer as JsonObject)
    }
    if (this.#open.size > 0) this.#window ??= setTimeout(() => this.#present(), WINDOW_MS)
  }

  /** Questions that wait for an answer, by key. */
  get questions(): ReadonlyMap<string, Open> {
    return this.#open
  }

  touch(): void {
    for (const { deadline } of this.#attached) deadline?.touch()
  }

  /** Between turns no time runs; callers that come while it is held are held too. */
  hold(): () => void {
    const releases: (() => void)[] = []
    for (const { deadline } of this.#attached) if (deadline) releases.push(deadline.hold())
    this.#holds.add(releases)
    return () => {
      this.#holds.delete(releases)
      for (const release of releases.splice(0)) release()
    }
  }

  /** No caller reads. */
  get full(): boolean {
    for (const { flow } of this.#attached) if (!flow?.full) return false
    return this.#attached.size > 0
  }

  /** A caller that comes meanwhile may read. */
  onDrain(listener: () => void): () => void {
    const releases: (() => void)[] = []
    const release = (): void => {
      this.#drains.delete(wake)
      for (const end of releases) end()
    }
    const wake = (): void => {
      release()
      listener()
    }
    this.#drains.add(wake)
    for (const { flow } of this.#attached) if (flow) releases.push(flow.onDrain(wake))
    return release
  }

  readonly onNotification = (notification: Notification): void => {
    for (const { onNotification } of this.#attached) onNotification?.(notification)
  }

  #present(): void {
    this.#window = undefined
    if (this.#open.size === 0 || this.ended) return
    this.round++
    const questions: JsonObject = {}
    for (const [key, { question }] of this.#open) {
      const { method, params } = question
      questions[key] = { method, params: forModern(params) }
    }
    this.#attached.clear()
    this.#turn.resolve({ kind: 'questions', round: this.round, questions })
  }

  #onGone(visitor: Visitor, reason: Error): void {
    if (!this.#attached.delete(visitor) || this.#attached.size > 0 || this.ended) return
    this.signal.cancel(reason)
  }
}

/** What modern questions do not have: elicitation ids (2025-11-25), core tasks, progress tokens. */
function forModern(params: JsonObject): JsonObject {
  const { elicitationId: _id, task: _task, _meta, ...rest } = params
  if (!isObject(_meta)) return rest
  const { progressToken: _token, ...meta } = _meta
  return Object.keys(meta).length > 0 ? { ...rest, _meta: meta } : rest
}
