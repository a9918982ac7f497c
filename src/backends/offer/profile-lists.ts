import type { NativeLists } from '../../model/backend.ts'
import type { Caller } from '../../model/call.ts'
import type { Listing } from './lists.ts'
import { sameLists } from './lists.ts'

/** A list waits at most this long for what its caller's profile adds. */
const WAIT_MS = 2000
/** Clients declare a handful of different capabilities; what a hostile one makes up beyond is not kept. */
const MAX_PROFILES = 50

interface Known {
  /** `undefined`: the same as everybody. */
  lists: NativeLists | undefined
  /** As it was last given, the same as everybody's or not. */
  listing: Listing | undefined
  /** The server has said since that its lists changed. */
  stale: boolean
  fetching: Promise<void> | undefined
  /** The same for what nobody waits for. */
  refreshing: Promise<void> | undefined
}

/**
 * What one server lists to callers that can do more than nothing: servers offer tools that ask the user only where
 * somebody can be asked. Fetched over the connection of the first caller of each profile, kept for the others.
 */
export class ProfileLists {
  readonly #known = new Map<string, Known>()
  readonly #fetch: (caller: Caller) => Promise<Listing>
  readonly #base: () => NativeLists | undefined
  readonly #onChange: (profile: string) => void

  /** `onChange` is told when what callers of one profile see has changed. */
  constructor(
    fetch: (caller: Caller) => Promise<Listing>,
    base: () => NativeLists | undefined,
    onChange: (profile: string) => void,
  ) {
    this.#fetch = fetch
    this.#base = base
    this.#onChange = onChange
  }

  /** `undefined`: the same as everybody, or not known yet. */
  get(profile: string): NativeLists | undefined {
    return this.#known.get(profile)?.lists
  }

  /** As it was last given to callers of this profile. */
  listing(profile: string): Listing | undefined {
    return this.#known.get(profile)?.listing
  }

  /** Profiles that see something of their own. */
  get apart(): string[] {
    return [...this.#known].filter(([, { lists }]) => lists).map(([profile]) => profile)
  }

  /** Resolves when this caller's lists are known, cannot be had, or take too long. `undefined`: they are known. */
  prepare(caller: Caller): Promise<void> | undefined {
    const { key } = caller.profile
    let known = this.#known.get(key)
    if (known && !known.stale) return known.fetching
    if (!known) {
      if (this.#known.size >= MAX_PROFILES) return undefined
      known = { lists: undefined, listing: undefined, stale: true, fetching: undefined, refreshing: undefined }
      this.#known.set(key, known)
    }
    if (!known.fetching) {
      const asked = known
      asked.stale = false
      const done = this.#ask(asked, caller)
        // The backend is away, or full: the next list tries again.
        .catch(() => void (asked.stale = true))
        .finally(() => {
          clearTimeout(timer)
          asked.fetching = undefined
        })
      let timer: NodeJS.Timeout | undefined
      known.fetching = Promise.race([done, new Promise<void>((resolve) => (timer = setTimeout(resolve, WAIT_MS)))])
    }
    return known.fetching
  }

  /** Asks anew beside what is known of this caller's profile. Resolves when that is done, or cannot be had. */
  refresh(caller: Caller): Promise<void> {
    const known = this.#known.get(caller.profile.key)
    if (!known) return Promise.resolve()
    known.refreshing ??= this.#ask(known, caller)
      .catch(() => {})
      .finally(() => (known.refreshing = undefined))
    return known.refreshing
  }

  /** The server's lists have changed; those are not meant that were asked for since `since`. */
  invalidate(since = Infinity): void {
    for (const known of this.#known.values()) if (!known.listing || known.listing.at < since) known.stale = true
  }

  async #ask(known: Known, caller: Caller): Promise<void> {
    const before = known.lists
    const listing = await this.#fetch(caller)
    // A late answer must not overwrite a newer one.
    if (known.listing && known.listing.at > listing.at) return
    known.listing = listing
    known.lists = sameLists(listing.lists, this.#base()) ? undefined : listing.lists
    if (!sameLists(before, known.lists)) this.#onChange(caller.profile.key)
  }
}
