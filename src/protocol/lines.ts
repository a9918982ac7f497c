const LF = 0x0a
const CR = 0x0d

/**
 * Splits a byte stream into lines (stdio transport: one JSON message a line). `onOverflow` is called once,
 * and nothing after it, when a line grows beyond `maxBytes`.
 */
export class LineReader {
  readonly #onLine: (line: string) => void
  readonly #onOverflow: () => void
  readonly #maxBytes: number
  #parts: Buffer[] = []
  #size = 0
  #dead = false

  constructor(onLine: (line: string) => void, onOverflow: () => void, maxBytes: number) {
    this.#onLine = onLine
    this.#onOverflow = onOverflow
    this.#maxBytes = maxBytes
  }

  push(chunk: Buffer): void {
    let from = 0
    while (!this.#dead) {
      const end = chunk.indexOf(LF, from)
      if (end === -1) break
      this.#take(chunk.subarray(from, end))
      from = end + 1
      if (!this.#dead) this.#emit()
    }
    if (!this.#dead && from < chunk.length) this.#take(chunk.subarray(from))
  }

  /** The stream ended: a last line without line break still counts. */
  end(): void {
    if (!this.#dead && this.#size > 0) this.#emit()
  }

  #take(part: Buffer): void {
    this.#size += part.length
    if (this.#size > this.#maxBytes) {
      this.#dead = true
      this.#parts = []
      this.#onOverflow()
    } else if (part.length > 0) this.#parts.push(part)
  }

  #emit(): void {
    const [first] = this.#parts
    const line = this.#parts.length === 1 && first ? first : Buffer.concat(this.#parts)
    this.#parts = []
    this.#size = 0
    const text = line.toString('utf8', 0, line.at(-1) === CR ? line.length - 1 : line.length)
    if (text !== '') this.#onLine(text)
  }
}
