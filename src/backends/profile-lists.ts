import { isDeepStrictEqual } from 'node:util'
import type { NativeLists } from '../model/backend.ts'
import type { Caller } from '../model/call.ts'

/** A list waits at most this long for what its caller's profile adds. */
const WAIT_MS = 2000
/** Clients declare a handful of different capabilities; what a hostile one makes up beyond is not kept. */
const MAX_PROFILES = 50

interface Known {
  /** `undefined`: the same as everybody. */
  lists: NativeLists | undefined
  /** The server has said since that its lists changed. */
  stale: boolean
  fetching: Promise<void> | undefined
}

/**
 * What one server lists to callers that can do more than nothing: servers offer tools that ask the user only where
 * somebody can be asked. Fetched over the connection of the first caller of each profile, kept for the others.
 */
export class ProfileLists {
  readonly #known = new Map<string, Known>()
  readonly #fetch: (caller: Caller) => Promise<NativeLists>
  readonly #base: () => NativeLists | undefined
  readonly #onChange: (profile: string) => void

  /** `onChange` is told when what callers of one profile see has changed. */
  constructor(
    fetch: (caller: Caller) => Promise<NativeLists>,
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
      known = { lists: undefined, stale: true, fetching: undefined }
      this.#known.set(key, known)
    }
    if (!known.fetching) {
      const done = this.#refresh(known, caller).finally(() => clearTimeout(timer))
      let timer: NodeJS.Timeout | undefined
      known.fetching = Promise.race([done, new Promise<void>((resolve) => (timer = setTimeout(resolve, WAIT_MS)))])
    }
    return known.fetching
  }

  /** The server's lists have changed. */
  invalidate(): void {
    for (const known of this.#known.values()) known.stale = true
  }

  async #refresh(known: Known, caller: Caller): Promise<void> {
    known.stale = false
    const before = known.lists
    try {
      const lists = await this.#fetch(caller)
      known.lists = isDeepStrictEqual(lists, this.#base()) ? undefined : lists
    } catch {
      // The backend is away, or full: the next list tries again.
      known.stale = true
    } finally {
      known.fetching = undefined
    }
    if (!isDeepStrictEqual(before, known.lists)) this.#onChange(caller.profile.key)
  }
}
