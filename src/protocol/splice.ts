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
  #carry: Buffer | undefined
  #start = true
  #done = false

  constructor(upstreamId: number, replacement: string) {
    this.#digits = Buffer.from(String(upstreamId), 'latin1')
    this.#replacement = Buffer.from(replacement, 'utf8')
  }

  /** Whether the id has been found. */
  get done(): boolean {
    return this.#done
  }

  /** What may be sent on now; the last bytes are held back while the id has not been found. */
  push(chunk: Buffer): Buffer[] {
    if (this.#done) return [chunk]
    const bytes = this.#carry ? Buffer.concat([this.#carry, chunk]) : chunk
    const reach = AROUND + this.#digits.length
    let from = Math.max(0, bytes.length - reach)
    for (const at of this.#candidates(bytes)) {
      if (this.#start && at <= AROUND && HEAD.test(bytes.toString('latin1', 0, at))) return this.#replace(bytes, at)
      // Too near the end to tell: it may be the last member, or one of the result.
      if (bytes.length - at <= reach) {
        from = Math.max(0, at - AROUND)
        break
      }
    }
    if (this.#start && bytes.length <= reach) from = 0
    if (from > 0) this.#start = false
    // A copy: the rest of a network buffer must not stay alive for its last bytes.
    this.#carry = Buffer.from(bytes.subarray(from))
    return [bytes.subarray(0, from)]
  }

  /** What was held back. */
  end(): Buffer[] {
    const carry = this.#carry
    this.#carry = undefined
    if (this.#done || !carry) return []
    for (const at of this.#candidates(carry)) {
      if (TAIL.test(carry.toString('latin1', at + this.#digits.length))) return this.#replace(carry, at)
    }
    return [carry]
  }

  *#candidates(bytes: Buffer): Generator<number> {
    for (let at = bytes.indexOf(this.#digits); at !== -1; at = bytes.indexOf(this.#digits, at + 1)) {
      if (QUOTED_ID.test(bytes.toString('latin1', Math.max(0, at - AROUND), at))) yield at
    }
  }

  #replace(bytes: Buffer, at: number): Buffer[] {
    this.#done = true
    this.#carry = undefined
    return [bytes.subarray(0, at), this.#replacement, bytes.subarray(at + this.#digits.length)]
  }
}
