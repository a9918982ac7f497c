import type { BackendSpec, Era } from '../../model/backend.ts'

/** What is known of the eras that one server speaks. */
export class EraKnowledge {
  readonly #spec: BackendSpec
  /** Absent: not tried. */
  #speaks: Partial<Record<Era, boolean>>

  constructor(spec: BackendSpec) {
    this.#spec = spec
    this.#speaks = configured(spec)
  }

  /** How to open the next connection of the gateway's own: as it worked before, modern first. */
  get forListing(): Era | 'auto' {
    if (this.#speaks.modern === true) return 'modern'
    return this.#speaks.legacy === true ? 'legacy' : this.#spec.era
  }

  /** The era to serve a caller in: its own, unless the server is known not to speak it, or only known to speak the other. */
  serving(caller: Era): Era {
    return this.#speaks[caller] === false || this.isUntried(caller) ? otherEra(caller) : caller
  }

  /** Whether it is worth finding out that the server speaks the caller's era too: it is known to speak the other one. */
  isUntried(caller: Era): boolean {
    return this.#speaks[caller] === undefined && this.#speaks[otherEra(caller)] === true
  }

  /** A connection has opened. `asked` is what was tried. */
  opened(asked: Era | 'auto', era: Era): void {
    this.#speaks[era] = true
    if (asked === 'auto' && era === 'legacy') this.#speaks.modern = false
    // Another process only to learn what it also speaks would cost more than translating.
    if (era === 'modern' && this.#spec.endpoint.kind !== 'http') this.#speaks.legacy = false
  }

  learn(era: Era, spoken: boolean): void {
    this.#speaks[era] = spoken
  }

  /** The server may come back as another version of itself. */
  forget(): void {
    this.#speaks = configured(this.#spec)
  }
}

function otherEra(era: Era): Era {
  return era === 'legacy' ? 'modern' : 'legacy'
}

function configured({ era }: BackendSpec): Partial<Record<Era, boolean>> {
  return era === 'auto' ? {} : { [otherEra(era)]: false }
}
