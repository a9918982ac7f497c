import type { Caller } from '../../model/call.ts'
import { Cancellation } from '../../model/cancellation.ts'
import { GatewayError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import { metaOf, withoutHopKeys } from '../../protocol/envelope.ts'
import type { Leg } from '../leg.ts'
import { SessionLost, ownRequest } from '../leg.ts'
import type { Slot } from '../connections/pool.ts'

/** How long a server may take to open a connection for a subscription, and to answer it. */
const LIMIT_MS = 30_000
const FIRST_RETRY_MS = 250
const LAST_RETRY_MS = 30_000
/** What stood this long has recovered: after its loss it is tried again at once. */
const STABLE_MS = 10_000
/** Subscriptions that are made anew at the same time. */
const WORKERS = 8
/** What lies below something longer is not looked for. */
const MAX_URI = 8192

/** Takes the params of `notifications/resources/updated`: one object for all whom one change concerns. */
export type UpdateListener = (params: JsonObject) => void

/** Where subscriptions are made. */
export interface Upstreams {
  /** The connection that serves a caller. Throws `BACKEND_BUSY`. */
  slotFor: (caller: Caller) => Slot
  /** As far as is known, the backend is there. */
  isReady: () => boolean
  /** Told when a connection failed while it was used. */
  onFault: (slot: Slot, error: unknown) => void
}

/** One client that follows one resource. */
interface Follower {
  readonly caller: Caller
  readonly uri: string
  readonly listener: UpdateListener
  /** Absent while its subscription does not stand. */
  held: Held | undefined
  left: boolean
}

/** One resource that is followed over one connection, by however many clients. */
interface Held {
  readonly line: Line
  readonly uri: string
  readonly followers: Set<Follower>
  /** The server knows. */
  standing: boolean
  /** The server is being told of something. */
  busy: boolean
  work: Promise<void>
}

/** One connection and what is followed over it. */
interface Line {
  readonly slot: Slot
  readonly leg: Leg
  readonly held: Map<string, Held>
  lost: boolean
  /** The set of resources that a modern server is being told, and the one that comes after it. */
  telling: Promise<void> | undefined
  next: Promise<void> | undefined
}

/**
 * Which resources of one backend are followed, over which connection. The first follower of a resource subscribes
 * upstream, the last one unsubscribes. After every loss the subscription is made anew, and its followers are told that
 * the resource may have changed: nobody knows what was missed.
 */
export class Subscriptions {
  readonly #upstreams: Upstreams
  readonly #lines = new Map<Leg, Line>()
  /** Followers whose subscription was lost. */
  readonly #waiting = new Set<Follower>()
  #restoring = false
  #timer: NodeJS.Timeout | undefined
  #retryMs = 0
  #restoredAt = 0
  #closed = false

  constructor(upstreams: Upstreams) {
    this.#upstreams = upstreams
  }

  /**
   * Resolves when the subscription stands, with the function that ends it. Rejects with `METHOD_UNKNOWN` when the server
   * takes no subscriptions, with `BACKEND_ERROR` when it refuses this one, `SessionLost` when it forgets its sessions,
   * `BACKEND_BUSY` and `BACKEND_UNREACHABLE`. Once it stood, it is upheld until it is ended.
   */
  async follow(caller: Caller, uri: string, listener: UpdateListener): Promise<() => void> {
    const follower: Follower = { caller, uri, listener, held: undefined, left: false }
    await this.#attach(follower)
    return () => {
      follower.left = true
      this.#waiting.delete(follower)
      this.#detach(follower)
    }
  }

  /** The resources that a modern server is to tell of; legacy ones learn of each by a request. */
  listenedOn(leg: Leg): string[] {
    const line = this.#lines.get(leg)
    if (!line || leg.era === 'legacy') return []
    return [...line.held.values()].filter(({ followers }) => followers.size > 0).map(({ uri }) => uri)
  }

  /** The server says that a resource has changed. It may lie below the one that is followed (resources, "Subscriptions"). */
  updated(leg: Leg, params: JsonObject): void {
    const { uri } = params
    const line = this.#lines.get(leg)
    if (!line || typeof uri !== 'string') return
    const passed = withoutHop(params)
    for (const place of placesOf(uri)) {
      const held = line.held.get(place)
      if (held) for (const { listener } of held.followers) listener(passed)
    }
  }

  /** The stream on which this connection tells of changes was away, and is back. */
  gap(leg: Leg): void {
    const line = this.#lines.get(leg)
    if (!line) return
    // A legacy session may be gone, and the subscriptions with it: only asking tells.
    if (leg.era === 'legacy') return this.lost(leg)
    for (const { followers, uri } of line.held.values()) for (const { listener } of followers) listener({ uri })
  }

  /** The connection is gone, and what was followed over it no longer stands. */
  lost(leg: Leg): void {
    const line = this.#lines.get(leg)
    if (!line) return
    this.#lines.delete(leg)
    line.lost = true
    line.slot.holds -= line.held.size
    for (const { standing, followers } of line.held.values()) {
      // Whoever still waits for the first answer hears of the loss by it.
      if (!standing) continue
      for (const follower of followers) {
        follower.held = undefined
        if (!this.#closed) this.#waiting.add(follower)
      }
    }
    line.held.clear()
    if (Date.now() - this.#restoredAt > STABLE_MS) this.#retryMs = 0
    this.#restoreSoon()
  }

  /** The backend is back. */
  wake(): void {
    if (this.#restoring || this.#waiting.size === 0) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    void this.#restore()
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#waiting.clear()
  }

  /** Throws `SessionLost` when a new session has been forgotten too. */
  async #attach(follower: Follower): Promise<void> {
    try {
      await this.#attachOnce(follower)
    } catch (error) {
      if (!(error instanceof SessionLost)) throw error
      await this.#attachOnce(follower)
    }
  }

  async #attachOnce(follower: Follower): Promise<void> {
    const slot = this.#upstreams.slotFor(follower.caller)
    slot.holds++
    try {
      const leg = slot.leg ?? (await inTime(slot.opening))
      if (follower.left) return
      if (leg.closed) throw new SessionLost()
      const held = this.#heldOn(slot, leg, follower.uri)
      held.followers.add(follower)
      follower.held = held
      await this.#settle(held)
    } catch (error) {
      this.#detach(follower)
      this.#upstreams.onFault(slot, error)
      throw error
    } finally {
      slot.holds--
    }
  }

  #heldOn(slot: Slot, leg: Leg, uri: string): Held {
    let line = this.#lines.get(leg)
    if (!line) {
      line = { slot, leg, held: new Map(), lost: false, telling: undefined, next: undefined }
      this.#lines.set(leg, line)
    }
    let held = line.held.get(uri)
    if (!held) {
      held = { line, uri, followers: new Set(), standing: false, busy: false, work: Promise.resolve() }
      line.held.set(uri, held)
      slot.holds++
    }
    return held
  }

  #detach(follower: Follower): void {
    const { held } = follower
    if (!held) return
    follower.held = undefined
    held.followers.delete(follower)
    if (held.followers.size === 0) this.#settle(held).catch(() => {})
  }

  /** Tells the server what is wanted now. One request at a time: over HTTP a second one could overtake the first. */
  #settle(held: Held): Promise<void> {
    if (!held.busy) held.work = this.#work(held)
    return held.work
  }

  async #work(held: Held): Promise<void> {
    const { line, uri, followers } = held
    held.busy = true
    try {
      while (!line.lost && followers.size > 0 !== held.standing) {
        if (held.standing) await this.#unsubscribe(held).catch(() => {})
        else await this.#subscribe(held)
        held.standing = !held.standing
      }
      if (line.lost) throw new SessionLost()
    } finally {
      held.busy = false
      if (followers.size === 0 && line.held.get(uri) === held) {
        line.held.delete(uri)
        line.slot.holds--
        line.slot.lastUsed = Date.now()
        if (line.held.size === 0) this.#lines.delete(line.leg)
      }
    }
  }

  async #subscribe({ line, uri }: Held): Promise<void> {
    const { leg } = line
    if (!takesSubscriptions(leg)) {
      throw new GatewayError('METHOD_UNKNOWN', 'Method not found: the server takes no subscriptions to its resources')
    }
    await this.#listen(line)
    if (leg.era === 'legacy') await request(leg, 'resources/subscribe', uri)
  }

  async #unsubscribe({ line, uri }: Held): Promise<void> {
    if (line.leg.era === 'legacy') await request(line.leg, 'resources/unsubscribe', uri)
    else await this.#listen(line)
  }

  /** What changes while the server is being told goes out as one set. */
  #listen(line: Line): Promise<void> {
    line.next ??= (async () => {
      await line.telling?.catch(() => {})
      line.next = undefined
      line.telling = inTime(Promise.resolve(line.leg.listen(this.listenedOn(line.leg))))
      await line.telling
    })()
    return line.next
  }

  #restoreSoon(): void {
    if (this.#closed || this.#restoring || this.#timer || this.#waiting.size === 0) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      // Until then there is nothing to be asked.
      if (this.#upstreams.isReady()) void this.#restore()
    }, this.#retryMs).unref()
    this.#retryMs = Math.min(Math.max(this.#retryMs * 2, FIRST_RETRY_MS), LAST_RETRY_MS)
  }

  async #restore(): Promise<void> {
    this.#restoring = true
    const queue = [...this.#waiting].values()
    await Promise.all(
      Array.from({ length: WORKERS }, async () => {
        for (const follower of queue) if (!follower.left) await this.#restoreOne(follower)
      }),
    )
    this.#restoring = false
    this.#restoredAt = Date.now()
    this.#restoreSoon()
  }

  async #restoreOne(follower: Follower): Promise<void> {
    this.#waiting.delete(follower)
    try {
      await this.#attach(follower)
      if (!follower.left) follower.listener({ uri: follower.uri })
    } catch {
      if (!follower.left && !this.#closed) this.#waiting.add(follower)
    }
  }
}

function takesSubscriptions({ capabilities }: Leg): boolean {
  const { resources } = capabilities
  return isObject(resources) && resources['subscribe'] === true
}

/** A URI and everything that it lies below. */
function* placesOf(uri: string): Iterable<string> {
  yield uri
  if (uri.length > MAX_URI) return
  for (let at = uri.indexOf('/'); at !== -1; at = uri.indexOf('/', at + 1)) {
    if (uri[at - 1] !== '/') yield uri.slice(0, at)
    if (at + 1 < uri.length) yield uri.slice(0, at + 1)
  }
}

function withoutHop(params: JsonObject): JsonObject {
  const meta = metaOf(params)
  if (!meta) return params
  const { _meta, ...rest } = params
  const left = withoutHopKeys(meta)
  return left ? { ...rest, _meta: left } : rest
}

async function request(leg: Leg, method: string, uri: string): Promise<void> {
  const signal = new Cancellation()
  const timer = setTimeout(() => signal.cancel(late()), LIMIT_MS).unref()
  try {
    await leg.request(ownRequest(method, { uri }, signal))
  } finally {
    clearTimeout(timer)
  }
}

async function inTime<Value>(value: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  try {
    return await Promise.race([
      value,
      new Promise<never>((_resolve, reject) => (timer = setTimeout(() => reject(late()), LIMIT_MS).unref())),
    ])
  } finally {
    clearTimeout(timer)
  }
}

function late(): GatewayError {
  return new GatewayError('BACKEND_UNREACHABLE', `it did not answer a subscription within ${LIMIT_MS / 1000} s`)
}
