const LF = 0x0a
const CR = 0x0d
/** How much of a line that is too long is kept at either end, bytes. */
const KEPT = 256

/** What is known of a line that was too long to be kept. */
export interface LongLine {
  head: string
  tail: string
}

/**
 * Splits a byte stream into lines (stdio transport: one JSON message a line). A line over `maxBytes` is passed over;
 * `onOverflow` is told when it has ended.
 */
export class LineReader {
  readonly #onLine: (line: string) => void
  readonly #onOverflow: (line: LongLine) => void
  readonly #maxBytes: number
  #parts: Buffer[] = []
  #size = 0
  /** Of a line that is too long: its start, and its end so far. */
  #long: { head: Buffer; tail: Buffer } | undefined

  constructor(onLine: (line: string) => void, onOverflow: (line: LongLine) => void, maxBytes: number) {
    this.#onLine = onLine
    this.#onOverflow = onOverflow
    this.#maxBytes = maxBytes
  }

  push(chunk: Buffer): void {
    let from = 0
    for (;;) {
      const end = chunk.indexOf(LF, from)
      if (end === -1) break
      this.#take(chunk.subarray(from, end))
      from = end + 1
      this.#emit()
    }
    if (from < chunk.length) this.#take(chunk.subarray(from))
  }

  /** The stream ended: a last line without line break still counts. */
  end(): void {
    if (this.#long !== undefined || this.#size > 0) this.#emit()
  }

  #take(part: Buffer): void {
    if (this.#long) {
      const end = part.length < KEPT ? Buffer.concat([this.#long.tail, part]) : part
      this.#long.tail = Buffer.from(end.subarray(-KEPT))
      return
    }
    if (part.length === 0) return
    this.#parts.push(part)
    this.#size += part.length
    if (this.#size <= this.#maxBytes) return
    const line = Buffer.concat(this.#parts)
    this.#long = { head: Buffer.from(line.subarray(0, KEPT)), tail: Buffer.from(line.subarray(-KEPT)) }
    this.#parts = []
  }

  #emit(): void {
    const long = this.#long
    const [first] = this.#parts
    const line = this.#parts.length === 1 && first ? first : Buffer.concat(this.#parts)
    this.#parts = []
    this.#size = 0
    this.#long = undefined
    if (long) return this.#onOverflow({ head: long.head.toString(), tail: long.tail.toString() })
    const text = line.toString('utf8', 0, line.at(-1) === CR ? line.length - 1 : line.length)
    if (text !== '') this.#onLine(text)
  }
}
