import { setImmediate } from 'node:timers/promises'
import type { Contribution } from '../../aggregation/contribution.ts'
import { pinKey, type Lock } from '../../aggregation/pinning/lock.ts'
import { pinsOf } from '../../aggregation/pinning/pins.ts'
import { withhold, type Withheld } from '../../aggregation/pinning/withhold.ts'
import { visible } from '../../aggregation/suspicion/hidden.ts'
import { inspect, isInspected } from '../../aggregation/suspicion/inspect.ts'
import { definitionsOf, findSuspicious } from '../../aggregation/suspicion/suspicion.ts'
import type { Telemetry } from '../../telemetry/events.ts'

/** Definitions that are told one by one, each time something has changed; the rest is counted. */
const MAX_NEWS = 20
/** What has been told is told once. Backends choose the names in it: beyond this many they are forgotten, and told again. */
const MAX_TOLD = 10_000
/** Calls must not wait longer than this for a look at definitions. */
const SLICE_MS = 5
/** Names are cut here: they are for people. */
const MAX_NAME = 200

/** What was offered and what of it may be shown. */
export interface Admission {
  offered: readonly Contribution[]
  contributions: readonly Contribution[]
  withheld: readonly Withheld[]
}

/** Tells what is withheld, what comes back, and what is suspicious: each once, however often catalogues are built. */
export class DefinitionNews {
  readonly #telemetry: Telemetry
  #withheld = new Map<string, Withheld>()
  readonly #suspicious = new Set<string>()
  #looking: Promise<void> = Promise.resolve()

  constructor(telemetry: Telemetry) {
    this.#telemetry = telemetry
  }

  /** `partial`: it is what some callers see, so that what is missing in it may stand elsewhere. */
  tell({ offered, contributions, withheld }: Admission, partial: boolean): void {
    this.#tellWithheld(withheld)
    if (!partial) this.#tellRestored(contributions, new Set(withheld.map(pinKey)))
    if (this.#telemetry.hears('definition.suspicious')) {
      this.#looking = this.#looking.then(() => this.#look(offered))
    }
  }

  #tellWithheld(withheld: readonly Withheld[]): void {
    const news = withheld.filter((one) => this.#withheld.get(pinKey(one))?.why !== one.why)
    if (this.#withheld.size + news.length > MAX_TOLD) this.#withheld.clear()
    for (const one of news) this.#withheld.set(pinKey(one), one)
    for (const { name, ...one } of news.slice(0, MAX_NEWS)) {
      this.#telemetry.emit('definition.withheld', { ...one, name: shown(name) })
    }
    this.#tellRest(news.length, 'withheld definitions: "vmcp tools --frozen" shows them all')
  }

  /** What was withheld and is not: it is as the lock says, or no longer there. Of those who say nothing it stays withheld. */
  #tellRestored(contributions: readonly Contribution[], withheld: ReadonlySet<string>): void {
    const gone = [...this.#withheld].filter(([key]) => !withheld.has(key))
    if (gone.length === 0) return
    const silent = new Set(contributions.filter(({ lists }) => !lists).map(({ backend }) => backend))
    const present = new Set(
      contributions.flatMap(({ backend, lists }) => (lists ? pinsOf(backend, lists).map(pinKey) : [])),
    )
    for (const [key, { backend, kind, name }] of gone) {
      if (silent.has(backend)) continue
      this.#withheld.delete(key)
      if (present.has(key)) this.#telemetry.emit('definition.restored', { backend, kind, name: shown(name) })
    }
  }

  async #look(offered: readonly Contribution[]): Promise<void> {
    let begun = performance.now()
    for (const contribution of offered) {
      for (const { definition } of definitionsOf(contribution)) {
        if (isInspected(definition)) continue
        inspect(definition)
        if (performance.now() - begun < SLICE_MS) continue
        await setImmediate()
        begun = performance.now()
      }
    }
    const news = findSuspicious(offered).filter((finding) => !this.#suspicious.has(JSON.stringify(finding)))
    if (this.#suspicious.size + news.length > MAX_TOLD) this.#suspicious.clear()
    for (const finding of news.slice(0, MAX_TOLD)) this.#suspicious.add(JSON.stringify(finding))
    for (const finding of news.slice(0, MAX_NEWS)) {
      this.#telemetry.emit('definition.suspicious', { ...finding, name: shown(finding.name) })
    }
    this.#tellRest(news.length, 'suspicious definitions: "vmcp tools" shows them all')
  }

  #tellRest(amount: number, what: string): void {
    if (amount <= MAX_NEWS) return
    this.#telemetry.emit('catalogue.note', { message: `and ${amount - MAX_NEWS} more ${what}` })
  }
}

const shown = (name: string): string => visible(name.slice(0, MAX_NAME))

/** Stands between what backends offer and the catalogue. `lock`: nothing passes that it does not hold. */
export class DefinitionGuard {
  readonly #lock: Lock | undefined
  readonly #news: DefinitionNews

  constructor(lock: Lock | undefined, news: DefinitionNews) {
    this.#lock = lock
    this.#news = news
  }

  /** What it admits has been approved, each definition by itself. */
  get approves(): boolean {
    return this.#lock !== undefined
  }

  /** `partial`: it is what some callers see. */
  admit(offered: readonly Contribution[], partial: boolean): Admission {
    const admitted = this.#lock ? withhold(offered, this.#lock) : { contributions: offered, withheld: [] }
    const admission = { offered, ...admitted }
    this.#news.tell(admission, partial)
    return admission
  }
}
