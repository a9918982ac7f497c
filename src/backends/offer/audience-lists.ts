import type { NativeLists } from '../../model/backend.ts'
import type { Caller } from '../../model/call.ts'
import { GatewayError } from '../../model/errors.ts'
import type { Audience } from './apart.ts'
import { audienceKey } from './apart.ts'
import type { Listing } from './lists.ts'
import { sameLists } from './lists.ts'
import { isTurnedAway } from '../turned-away.ts'

/** A list waits at most this long for what its caller's audience adds. */
const WAIT_MS = 2000

interface Known {
  readonly audience: Audience
  /** Who asked last: it is asked again in its name. */
  caller: Caller
  /** `undefined`: the same as everybody. */
  lists: NativeLists | undefined
  /** As it was last given, the same as everybody's or not. */
  listing: Listing | undefined
  /** Why the server does not let them in. */
  away: GatewayError | undefined
  /** The server has said since that its lists changed. */
  stale: boolean
  fetching: Promise<void> | undefined
  /** The same for what nobody waits for. */
  refreshing: Promise<void> | undefined
}

export interface AudienceListsOptions {
  /** Which one a caller belongs to. */
  audienceOf: (caller: Caller) => Audience
  /** Asks the server in the name of this caller. */
  fetch: (caller: Caller) => Promise<Listing>
  /** What somebody sees who is not let in. `undefined`: the same as everybody. */
  closed: (why: GatewayError) => NativeLists | undefined
  /** Told each time when somebody is not let in, or has nothing to show. */
  onAway: (why: GatewayError) => void
  /** What everybody sees. */
  base: () => NativeLists | undefined
  /** Told when what one audience sees has changed. */
  onChange: (audience: Audience) => void
  /** Audiences beyond this many are not known: a hostile client can make up profiles, and users come and go. */
  max: number
}

/**
 * What one server lists to some callers only: to those who can do more than nothing, for servers offer tools that ask the
 * user only where somebody can be asked; or to each principal, where callers show something of their own.
 * Fetched over the connection of the first caller of each audience, kept for the others.
 */
export class AudienceLists {
  readonly #known = new Map<string, Known>()
  readonly #options: AudienceListsOptions

  constructor(options: AudienceListsOptions) {
    this.#options = options
  }

  /** `undefined`: the same as everybody, or not known yet. */
  get(audience: Audience): NativeLists | undefined {
    return this.#known.get(audienceKey(audience))?.lists
  }

  /** As it was last given to this audience. */
  listing(audience: Audience): Listing | undefined {
    return this.#known.get(audienceKey(audience))?.listing
  }

  /** Why the server does not let this audience in. */
  away(audience: Audience): GatewayError | undefined {
    return this.#known.get(audienceKey(audience))?.away
  }

  /** Whether anybody's credential cannot be had. */
  get lacking(): boolean {
    return [...this.#known.values()].some(({ away }) => away?.code === 'CREDENTIAL_UNAVAILABLE')
  }

  /** Audiences that see something of their own. */
  get apart(): Audience[] {
    return [...this.#known.values()].filter(({ lists }) => lists).map(({ audience }) => audience)
  }

  /** Resolves when this caller's lists are known, cannot be had, or take too long. `undefined`: they are known. */
  prepare(caller: Caller): Promise<void> | undefined {
    const audience = this.#options.audienceOf(caller)
    let known = this.#known.get(audienceKey(audience))
    if (known && !known.stale) return known.fetching
    if (!known) {
      if (this.#known.size >= this.#options.max && !this.#makeRoom()) return undefined
      known = {
        audience,
        caller,
        lists: undefined,
        listing: undefined,
        away: undefined,
        stale: true,
        fetching: undefined,
        refreshing: undefined,
      }
      this.#known.set(audienceKey(audience), known)
    }
    known.caller = caller
    if (!known.fetching) {
      const asked = known
      asked.stale = false
      const done = this.#ask(asked, caller)
        // The backend is away, or full, or lets this caller in no more: the next list tries again.
        .catch((error: unknown) => {
          asked.stale = true
          this.#lose(asked, error)
        })
        .finally(() => {
          clearTimeout(timer)
          asked.fetching = undefined
        })
      let timer: NodeJS.Timeout | undefined
      known.fetching = Promise.race([done, new Promise<void>((resolve) => (timer = setTimeout(resolve, WAIT_MS)))])
    }
    return known.fetching
  }

  /** Asks anew beside what is known of this caller's audience. Resolves when that is done, or cannot be had. */
  refresh(caller: Caller): Promise<void> {
    const known = this.#known.get(audienceKey(this.#options.audienceOf(caller)))
    return known ? this.#refresh(known, caller) : Promise.resolve()
  }

  /** Asks for a caller who was not let in, and may be by now. Throws what still stands in the way. */
  async enter(caller: Caller): Promise<void> {
    const known = this.#known.get(audienceKey(this.#options.audienceOf(caller)))
    if (known) await this.#ask(known, caller)
    else await this.#options.fetch(caller)
  }

  /** What this principal may see has changed with what it has to show. */
  async relist(principal: string | undefined): Promise<void> {
    const meant = [...this.#known.values()].filter(
      ({ audience }) => principal === undefined || audience.principal === principal,
    )
    await Promise.all(meant.map((known) => this.#refresh(known, known.caller)))
  }

  /** The server's lists have changed; those are not meant that were asked for since `since`. */
  invalidate(since = Infinity): void {
    for (const known of this.#known.values()) if (!known.listing || known.listing.at < since) known.stale = true
  }

  #refresh(known: Known, caller: Caller): Promise<void> {
    known.refreshing ??= this.#ask(known, caller)
      .catch((error: unknown) => this.#lose(known, error))
      .finally(() => (known.refreshing = undefined))
    return known.refreshing
  }

  async #ask(known: Known, caller: Caller): Promise<void> {
    const listing = await this.#options.fetch(caller)
    // A late answer must not overwrite a newer one.
    if (known.listing && known.listing.at > listing.at) return
    known.listing = listing
    known.away = undefined
    this.#show(known, sameLists(listing.lists, this.#options.base()) ? undefined : listing.lists)
  }

  /** What belongs to one principal is nobody's when it cannot be asked for in its name. */
  #lose(known: Known, error: unknown): void {
    if (known.audience.principal === undefined || !(error instanceof GatewayError)) return
    const turnedAway = isTurnedAway(error)
    if (!turnedAway && error.code !== 'CREDENTIAL_UNAVAILABLE') return
    known.stale = true
    known.away = error
    this.#options.onAway(error)
    if (turnedAway) this.#show(known, this.#options.closed(error))
  }

  #show(known: Known, lists: NativeLists | undefined): void {
    const before = known.lists
    known.lists = lists
    if (!sameLists(before, lists)) this.#options.onChange(known.audience)
  }

  /** Whoever was there first goes, where callers have proved who they are. */
  #makeRoom(): boolean {
    const [oldest] = this.#known.values()
    if (oldest?.audience.principal === undefined) return false
    this.#known.delete(audienceKey(oldest.audience))
    if (oldest.lists) this.#options.onChange(oldest.audience)
    return true
  }
}
