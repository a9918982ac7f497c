/** How long a question waits for the calls that did not ask it to be answered. */
const HOLD_MS = 300
const MAX_HELD = 100

interface Held<Candidate> {
  left: Set<Candidate>
  decide: (chosen: Candidate | undefined) => void
  timer: NodeJS.Timeout
}

/**
 * Questions that any of several calls may have asked. A call that is answered did not wait for an answer itself, so it
 * was another one. A call that was cancelled may have been the one that asked: it stays a candidate.
 */
export class Undecided<Candidate> {
  readonly #held = new Map<string, Held<Candidate>>()

  has(id: string): boolean {
    return this.#held.has(id)
  }

  /** Calls `decide` once: with the only candidate that is left, or with `undefined` after 300 ms. */
  hold(id: string, candidates: readonly Candidate[], decide: (chosen: Candidate | undefined) => void): void {
    if (this.#held.size >= MAX_HELD) return decide(undefined)
    const timer = setTimeout(() => this.#decide(id, undefined), HOLD_MS).unref()
    this.#held.set(id, { left: new Set(candidates), decide, timer })
  }

  settled(candidate: Candidate): void {
    for (const [id, { left }] of this.#held) {
      if (left.delete(candidate) && left.size === 1) this.#decide(id, [...left][0])
    }
  }

  /** Nobody wants to know any more. */
  drop(id: string): void {
    clearTimeout(this.#held.get(id)?.timer)
    this.#held.delete(id)
  }

  end(): void {
    for (const id of this.#held.keys()) this.drop(id)
  }

  #decide(id: string, chosen: Candidate | undefined): void {
    const held = this.#held.get(id)
    this.drop(id)
    held?.decide(chosen)
  }
}
