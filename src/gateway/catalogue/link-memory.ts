import type { BackendId, OwnerKey } from '../../model/ids.ts'

const PER_OWNER = 1000
const IN_ALL = 50_000
const LIFE_MS = 30 * 60_000

interface Seen {
  backend: BackendId
  /** On the clock of the memory. */
  until: number
}

/**
 * Which backend a caller saw a link from: results point at resources that no list names, and the caller may read them
 * for half an hour. Nobody else may. Of one caller, and of all callers, the oldest links are forgotten first.
 */
export class LinkMemory {
  /** Milliseconds on any clock that does not go back. */
  readonly #now: () => number
  /** The owner who remembered last stands last, and so does the link. */
  readonly #owners = new Map<OwnerKey, Map<string, Seen>>()
  #size = 0

  constructor(now: () => number) {
    this.#now = now
  }

  /** Links that are remembered, expired ones that nobody has come upon included. */
  get size(): number {
    return this.#size
  }

  remember(owner: OwnerKey, uris: readonly string[], backend: BackendId): void {
    if (uris.length === 0) return
    const now = this.#now()
    const links = this.#owners.get(owner) ?? new Map<string, Seen>()
    this.#owners.delete(owner)
    this.#owners.set(owner, links)
    for (const uri of uris) {
      this.#drop(links, uri)
      links.set(uri, { backend, until: now + LIFE_MS })
      this.#size++
      if (links.size > PER_OWNER) this.#dropOldest(links)
    }
    this.#makeRoom(now)
  }

  find(owner: OwnerKey, uri: string): BackendId | undefined {
    const seen = this.#owners.get(owner)?.get(uri)
    return seen && seen.until > this.#now() ? seen.backend : undefined
  }

  /** The owner has left. */
  forget(owner: OwnerKey): void {
    this.#size -= this.#owners.get(owner)?.size ?? 0
    this.#owners.delete(owner)
  }

  /** Expired links go, and as many others as are too many, of those who have been quiet longest. */
  #makeRoom(now: number): void {
    for (const [owner, links] of this.#owners) {
      for (const { until } of links.values()) {
        if (until > now && this.#size <= IN_ALL) return
        this.#dropOldest(links)
      }
      this.#owners.delete(owner)
    }
  }

  #dropOldest(links: Map<string, Seen>): void {
    for (const uri of links.keys()) return this.#drop(links, uri)
  }

  #drop(links: Map<string, Seen>, uri: string): void {
    if (links.delete(uri)) this.#size--
  }
}
