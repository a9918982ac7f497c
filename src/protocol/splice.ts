/** Room for `"id"`, white space and the colon in front of the digits. */
const LOOK_BACK = 48
const QUOTED_ID = /"id"\s*:\s*$/

/**
 * Replaces the id of a JSON-RPC response while its bytes pass through: the first `"id": <upstream digits>`,
 * wherever it stands (the official SDK writes the id after the result). Inside a JSON string the quotes
 * before the colon would be escaped, so text cannot be mistaken for the member.
 */
export class IdSplicer {
  readonly #digits: Buffer
  readonly #replacement: Buffer
  #carry: Buffer | undefined
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
    for (let at = bytes.indexOf(this.#digits); at !== -1; at = bytes.indexOf(this.#digits, at + 1)) {
      if (!QUOTED_ID.test(bytes.toString('latin1', Math.max(0, at - LOOK_BACK), at))) continue
      this.#done = true
      this.#carry = undefined
      return [bytes.subarray(0, at), this.#replacement, bytes.subarray(at + this.#digits.length)]
    }
    const keep = Math.min(bytes.length, LOOK_BACK + this.#digits.length)
    // A copy: the rest of a network buffer must not stay alive for its last bytes.
    this.#carry = Buffer.from(bytes.subarray(bytes.length - keep))
    return [bytes.subarray(0, bytes.length - keep)]
  }

  /** What was held back. */
  end(): Buffer[] {
    const carry = this.#carry
    this.#carry = undefined
    return carry ? [carry] : []
  }
}
