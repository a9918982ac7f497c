/** What an envelope holds besides result and id fits in here, on either side of the id. */
const AROUND = 128
const MEMBER = String.raw`\s*"\w{1,32}"\s*:\s*(?:"[^"\\]{0,32}"|[\w.+-]{1,32})\s*`
/** All that comes before an id that stands in front of the result. */
const HEAD = new RegExp(String.raw`^\s*\{(?:${MEMBER},)*\s*"id"\s*:\s*$`)
/** The last that comes before any id. */
const QUOTED_ID = /"id"\s*:\s*$/
/** All that comes after an id that stands behind the result. */
const TAIL = new RegExp(String.raw`^\s*(?:,${MEMBER})*\}\s*$`)

/**
 * Replaces the id of a JSON-RPC response while its bytes pass through, before or after the result (the official SDK
 * writes it last). Only the member of the envelope counts: a result may hold the id too, as an `id` of its own.
 */
export class IdSplicer {
  readonly #digits: Buffer
  readonly #replacement: Buffer
  /** Enough to see the id and what stands around it. */
  readonly #reach: number
  #held: Buffer = EMPTY
  #state: 'head' | 'tail' | 'done' = 'head'

  constructor(upstreamId: number, replacement: string) {
    this.#digits = Buffer.from(String(upstreamId), 'latin1')
    this.#replacement = Buffer.from(replacement, 'utf8')
    this.#reach = 2 * AROUND + this.#digits.length
  }

  /** Whether the id has been found. */
  get done(): boolean {
    return this.#state === 'done'
  }

  /** What may be sent on now; the last bytes are held back while the id has not been found. */
  push(chunk: Buffer): Buffer[] {
    if (this.#state === 'done') return [chunk]
    // Only small pieces are joined: a large result passes without being copied.
    if (this.#state === 'tail' && chunk.length >= this.#reach) return [this.#held, ...this.#holdBack(chunk)]
    const bytes = Buffer.concat([this.#held, chunk])
    if (bytes.length < this.#reach) {
      this.#held = bytes
      return []
    }
    if (this.#state === 'head') {
      this.#state = 'tail'
      const at = this.#headId(bytes)
      if (at !== -1) return this.#replace(bytes, at)
    }
    return this.#holdBack(bytes)
  }

  /** What was held back. */
  end(): Buffer[] {
    if (this.#state === 'done') return []
    const bytes = this.#held
    const head = this.#state === 'head' ? this.#headId(bytes) : -1
    const at = head === -1 ? this.#tailId(bytes) : head
    return at === -1 ? [bytes] : this.#replace(bytes, at)
  }

  #holdBack(bytes: Buffer): Buffer[] {
    const from = bytes.length - this.#reach
    // A copy: the rest of a network buffer must not stay alive for its last bytes.
    this.#held = Buffer.from(bytes.subarray(from))
    return [bytes.subarray(0, from)]
  }

  #headId(bytes: Buffer): number {
    const at = bytes.indexOf(this.#digits)
    return at !== -1 && at <= AROUND && HEAD.test(bytes.toString('latin1', 0, at)) ? at : -1
  }

  #tailId(bytes: Buffer): number {
    const at = bytes.lastIndexOf(this.#digits)
    if (at === -1 || !QUOTED_ID.test(bytes.toString('latin1', Math.max(0, at - AROUND), at))) return -1
    return TAIL.test(bytes.toString('latin1', at + this.#digits.length)) ? at : -1
  }

  #replace(bytes: Buffer, at: number): Buffer[] {
    this.#state = 'done'
    this.#held = EMPTY
    return [bytes.subarray(0, at), this.#replacement, bytes.subarray(at + this.#digits.length)]
  }
}

const EMPTY = Buffer.alloc(0)
