import { StringDecoder } from 'node:string_decoder'

export interface SseEvent {
  event: string
  data: string
  /** `undefined`: the event carried no `id` field. */
  id: string | undefined
}

/**
 * Incremental reader of an event stream (WHATWG HTML, "Interpreting an event stream"): any chunking, CR, LF and CRLF,
 * a byte order mark at the start. Events without data are not delivered. `onOverflow` is called once,
 * and nothing after it, when one event grows beyond `maxLength` characters.
 */
export class SseReader {
  /** Of the latest event that carried an id, with data or without; an empty id takes it back. */
  lastEventId: string | undefined
  /** How long the server wants to be left alone before the stream is opened again, milliseconds. */
  retryMs: number | undefined
  readonly #decoder = new StringDecoder('utf8')
  readonly #onEvent: (event: SseEvent) => void
  readonly #onOverflow: () => void
  readonly #maxLength: number
  #line = ''
  #afterCr = false
  #start = true
  #dead = false
  #event = ''
  #data: string | undefined
  #length = 0
  #id: string | undefined

  constructor(onEvent: (event: SseEvent) => void, onOverflow: () => void, maxLength: number) {
    this.#onEvent = onEvent
    this.#onOverflow = onOverflow
    this.#maxLength = maxLength
  }

  push(chunk: Buffer): void {
    let text = this.#decoder.write(chunk)
    if (text === '' || this.#dead) return
    if (this.#start) {
      this.#start = false
      if (text.codePointAt(0) === 0xfeff) text = text.slice(1)
    }
    let from = 0
    if (this.#afterCr) {
      this.#afterCr = false
      if (text.startsWith('\n')) from = 1
    }
    // Each search runs at most once past a position: a text without CR must not be scanned for one per line.
    let lf = text.indexOf('\n', from)
    let cr = text.indexOf('\r', from)
    while (lf !== -1 || cr !== -1) {
      const end = cr === -1 || (lf !== -1 && lf < cr) ? lf : cr
      this.#endLine(text.slice(from, end))
      if (this.#dead) return
      from = end + 1
      if (end === cr) {
        if (from === text.length) this.#afterCr = true
        else if (text[from] === '\n') from++
      }
      if (lf !== -1 && lf < from) lf = text.indexOf('\n', from)
      if (cr !== -1 && cr < from) cr = text.indexOf('\r', from)
    }
    if (from < text.length) this.#append(text.slice(from))
  }

  #append(part: string): void {
    this.#line += part
    if (this.#line.length + this.#length > this.#maxLength) this.#overflow()
  }

  #overflow(): void {
    this.#dead = true
    this.#line = ''
    this.#data = undefined
    this.#onOverflow()
  }

  #endLine(part: string): void {
    this.#append(part)
    if (this.#dead) return
    const line = this.#line
    this.#line = ''
    if (line === '') return this.#dispatch()
    const colon = line.indexOf(':')
    if (colon === 0) return
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (field === 'data') {
      this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`
      this.#length = this.#data.length
    } else if (field === 'event') this.#event = value
    else if (field === 'id' && !value.includes('\0')) this.#id = value
    else if (field === 'retry' && /^\d{1,9}$/.test(value)) this.retryMs = Number(value)
  }

  #dispatch(): void {
    const data = this.#data
    const event = { event: this.#event || 'message', data: data ?? '', id: this.#id }
    if (this.#id !== undefined) this.lastEventId = this.#id || undefined
    this.#event = ''
    this.#data = undefined
    this.#length = 0
    this.#id = undefined
    if (data !== undefined) this.#onEvent(event)
  }
}

/**
 * The data of every event in a chunk that holds whole events and nothing else, which is what a server writes in one go;
 * `undefined` when it does not, and an `SseReader` has to take over from its first byte. Line feeds only.
 */
export function wholeEvents(chunk: Buffer): string[] | undefined {
  const { length } = chunk
  if (length < 2 || chunk[length - 1] !== LF || chunk[length - 2] !== LF || chunk[0] === BOM_FIRST_BYTE)
    return undefined
  const text = chunk.toString('utf8')
  if (text.includes('\r')) return undefined
  const events: string[] = []
  for (let from = 0; from < text.length;) {
    const end = text.indexOf('\n\n', from)
    const data = dataOf(text, from, end)
    if (data !== undefined) events.push(data)
    from = end + 2
  }
  return events
}

/** Whether a chunk may say from where a broken stream can be resumed, which `wholeEvents` does not tell. */
export function carriesPosition(chunk: Buffer): boolean {
  const [first] = chunk
  return first === LOWER_I || first === LOWER_R || chunk.includes('\nid:') || chunk.includes('\nretry:')
}

const LOWER_I = 0x69
const LOWER_R = 0x72
const LF = 0x0a
const BOM_FIRST_BYTE = 0xef

/** The data lines of the event that stands at `from` .. `to`. */
function dataOf(text: string, from: number, to: number): string | undefined {
  let data: string | undefined
  for (let at = from; at < to;) {
    const next = text.indexOf('\n', at)
    const end = next === -1 || next > to ? to : next
    if (text.startsWith('data:', at)) {
      const value = text.slice(text[at + 5] === ' ' ? at + 6 : at + 5, end)
      data = data === undefined ? value : `${data}\n${value}`
    } else if (text.startsWith('data\n', at) || (end - at === 4 && text.startsWith('data', at))) {
      data = data === undefined ? '' : `${data}\n`
    }
    at = end + 1
  }
  return data
}

/** One message as an event. JSON text holds no line break, so it is a single data line. */
export function sseMessage(json: string): string {
  return `event: message\ndata: ${json}\n\n`
}

/** Keeps idle streams open through proxies and clients that give up on silence. */
export const SSE_KEEP_ALIVE = ': keep-alive\n\n'
