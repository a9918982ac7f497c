import { StringDecoder } from 'node:string_decoder'

/** A longer line is cut; what is cut off is not kept. */
const MAX_LENGTH = 4096

/** Lines of text meant for people: any line break ends one, and a line without end costs no more than its first part. */
export class TextLines {
  readonly #decoder = new StringDecoder('utf8')
  readonly #onLine: (line: string) => void
  #line = ''

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine
  }

  push(chunk: Buffer): void {
    const [first = '', ...rest] = this.#decoder.write(chunk).split(/\r\n|[\r\n]/)
    this.#append(first)
    for (const part of rest) {
      this.end()
      this.#append(part)
    }
  }

  /** Delivers a last line that has no line break. */
  end(): void {
    if (this.#line !== '') this.#onLine(this.#line)
    this.#line = ''
  }

  #append(part: string): void {
    this.#line = (this.#line + part.slice(0, MAX_LENGTH)).slice(0, MAX_LENGTH)
  }
}
