import { randomUUID } from 'node:crypto'
import type { UpstreamRequest } from '../../backends/leg.ts'
import type { Call, Context, Outcome } from '../../model/call.ts'
import { GatewayError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import { principalKey } from '../../model/principal.ts'
import { canBeAsked } from '../../protocol/capabilities.ts'
import type { Sealer } from '../../protocol/sealed.ts'
import { checkAnswer } from './check-answer.ts'
import { needsInput } from './needs-input.ts'
import type { Turn } from './parked-call.ts'
import { ParkedCall } from './parked-call.ts'
import type { Parked } from './request-state.ts'
import { openState, sealState } from './request-state.ts'

/** How long the user may take over one round of questions. */
const TTL_MS = 5 * 60_000
/** How long the last outcome is kept for a retry that was sent twice. */
const AFTERLIFE_MS = 30_000
const MAX_PARKED = 1000
const MAX_PARKED_PER_PRINCIPAL = 100

type Run = (request: UpstreamRequest) => Promise<Outcome>

interface Place {
  id: string
  call: ParkedCall<Outcome>
  principal: string
  /** The round whose answers have come last, and the turn that they began. */
  answered: number
  turn: Promise<Turn<Outcome>> | undefined
  timer: NodeJS.Timeout | undefined
}

/**
 * Calls of modern clients whose legacy backend has asked something. They wait here, upstream request and all, until the
 * client repeats its request with the answers. A place means something only in this process: a state of another one is
 * an error, on which the client starts anew (2026-07-28, multi round-trip requests).
 */
export class Parking {
  readonly #places = new Map<string, Place>()
  readonly #sealer: () => Sealer

  constructor(sealer: () => Sealer) {
    this.#sealer = sealer
  }

  get size(): number {
    return this.#places.size
  }

  /** A modern client's call to a legacy backend, or the retry of one that is parked. Throws `PARAMS_INVALID`. */
  async invoke(call: Call, context: Context, request: UpstreamRequest, run: Run): Promise<Outcome> {
    const { requestState, inputResponses } = call.params
    if (requestState === undefined && inputResponses === undefined) return this.#start(call, context, request, run)
    const state = openState(this.#sealer(), call, context)
    // To run the call once more would repeat what the first one has done.
    if (state?.kind !== 'parked') throw invalid('no call waits for these answers: make it again without them')
    return this.#resume(state, call, context, request)
  }

  /** Whether this is the retry of a call that was asked here: nobody else knows what to do with its state. */
  hasAsked(call: Call, context: Context): boolean {
    return openState(this.#sealer(), call, context)?.kind === 'parked'
  }

  /** Cancels every parked call. */
  close(): void {
    for (const place of this.#places.values()) {
      this.#leave(place)
      place.call.signal.cancel(new GatewayError('SHUTTING_DOWN', 'the gateway is stopping'))
    }
  }

  async #start(call: Call, context: Context, request: UpstreamRequest, run: Run): Promise<Outcome> {
    if (!canBeAsked(context.profile)) return run(request)
    const parked = new ParkedCall<Outcome>()
    const turn = parked.attach(request)
    const { signal, ask, onNotification } = parked
    parked.end(
      run({
        ...request,
        signal,
        ask,
        deadline: parked,
        onNotification: request.onNotification && onNotification,
        flow: parked,
      }),
    )
    const first = await turn
    if (first.kind === 'end') return first.end
    const principal = principalKey(context.principal)
    this.#checkRoom(parked, principal)
    const id = randomUUID()
    const place: Place = { id, call: parked, principal, answered: 0, turn: undefined, timer: undefined }
    this.#places.set(id, place)
    return this.#asked(place, call, context, first)
  }

  async #resume({ id, round }: Parked, call: Call, context: Context, request: UpstreamRequest): Promise<Outcome> {
    const place = this.#places.get(id)
    if (!place) throw invalid('the call no longer waits for these answers: make it again without them')
    if (place.answered === round && place.turn) {
      // Sent twice: both get what comes of it.
      if (!place.call.ended && !place.call.parked) place.call.attach(request).catch(() => {})
    } else if (round === place.call.round) {
      const answers = answersOf(call.params, place.call)
      clearTimeout(place.timer)
      place.answered = round
      place.call.answer(answers)
      place.turn = place.call.attach(request)
    } else throw invalid('these questions have been answered already')
    try {
      const turn = await place.turn
      if (turn.kind === 'questions') return this.#asked(place, call, context, turn)
      this.#leaveIn(AFTERLIFE_MS, place)
      return turn.end
    } catch (error) {
      this.#leaveIn(AFTERLIFE_MS, place)
      throw error
    }
  }

  #asked(place: Place, call: Call, context: Context, turn: Turn<Outcome> & { kind: 'questions' }): Outcome {
    this.#leaveIn(TTL_MS, place)
    const state: Parked = { kind: 'parked', id: place.id, round: turn.round }
    return needsInput(turn.questions, sealState(this.#sealer(), state, call, context))
  }

  #leaveIn(ms: number, place: Place): void {
    clearTimeout(place.timer)
    place.timer = setTimeout(() => {
      this.#leave(place)
      place.call.signal.cancel(new GatewayError('CANCELLED', `nobody answered within ${ms / 60_000} minutes`))
    }, ms).unref()
  }

  #leave(place: Place): void {
    clearTimeout(place.timer)
    this.#places.delete(place.id)
  }

  #checkRoom(parked: ParkedCall<Outcome>, principal: string): void {
    let own = 0
    for (const place of this.#places.values()) if (place.principal === principal) own++
    if (this.#places.size < MAX_PARKED && own < MAX_PARKED_PER_PRINCIPAL) return
    const busy = new GatewayError('BACKEND_BUSY', 'too many calls wait for answers of their users; try again later')
    parked.signal.cancel(busy)
    throw busy
  }
}

function invalid(problem: string): GatewayError {
  return new GatewayError('PARAMS_INVALID', `Invalid params: ${problem}`)
}

function answersOf({ inputResponses }: JsonObject, parked: ParkedCall<Outcome>): JsonObject {
  if (inputResponses === undefined) return {}
  if (!isObject(inputResponses)) throw invalid('"inputResponses" must be an object')
  for (const [key, { question }] of parked.questions) {
    const answer = inputResponses[key]
    const problem = answer === undefined ? undefined : checkAnswer(question.method, answer)
    if (problem !== undefined) throw invalid(`inputResponses.${key} ${problem}`)
  }
  return inputResponses
}
