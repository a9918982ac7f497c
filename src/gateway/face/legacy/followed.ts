import { GatewayError } from '../../../model/errors.ts'
import type { JsonObject } from '../../../model/json.ts'

/** What a client has for itself upstream must not grow without bound. */
const MAX_FOLLOWED = 1000

/** `Core.follow` for one caller. */
export type Follow = (uri: string, listener: (update: JsonObject) => void) => Promise<() => void>

/** Takes the params of `notifications/resources/updated`. False: the client could not be told. */
export type TellUpdated = (update: JsonObject) => boolean

/**
 * The resources that one client follows, over its session or one listen stream. What it cannot be told now is merged by
 * resource, and told with the next flush.
 */
export class Followed {
  readonly #follow: Follow
  readonly #tell: TellUpdated
  readonly #open = new Map<string, Promise<() => void>>()
  readonly #missed = new Set<string>()
  /** One change may concern several of them. */
  #last: JsonObject | undefined

  constructor(follow: Follow, tell: TellUpdated) {
    this.#follow = follow
    this.#tell = tell
  }

  /** Harmless when it is followed already. Throws what `Core.follow` throws, and `PARAMS_INVALID` beyond 1000 of them. */
  async add(uri: string): Promise<void> {
    const known = this.#open.get(uri)
    if (!known && this.#open.size >= MAX_FOLLOWED) {
      throw new GatewayError('PARAMS_INVALID', `Invalid params: a client may subscribe to ${MAX_FOLLOWED} resources`)
    }
    const standing = known ?? this.#follow(uri, (update) => this.#updated(uri, update))
    this.#open.set(uri, standing)
    try {
      await standing
    } catch (error) {
      if (this.#open.get(uri) === standing) this.remove(uri)
      throw error
    }
  }

  /** Harmless when it is not followed. */
  remove(uri: string): void {
    const standing = this.#open.get(uri)
    this.#open.delete(uri)
    this.#missed.delete(uri)
    standing?.then((end) => end()).catch(() => {})
  }

  clear(): void {
    for (const uri of this.#open.keys()) this.remove(uri)
  }

  /** The client can be reached again. */
  flush(): void {
    const missed = [...this.#missed]
    this.#missed.clear()
    for (const uri of missed) this.#updated(uri, { uri })
  }

  #updated(uri: string, update: JsonObject): void {
    if (update === this.#last || !this.#open.has(uri)) return
    this.#last = update
    if (!this.#tell(update)) this.#missed.add(uri)
  }
}
