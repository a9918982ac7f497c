import type { Dispatcher } from 'undici'
import type { ByteSink, Deadline, Flow, ResultStream } from '../../model/call.ts'
import type { Cancellation } from '../../model/cancellation.ts'
import type { Link } from '../../model/chain.ts'
import { Chain } from '../../model/chain.ts'
import { GatewayError } from '../../model/errors.ts'
import type { JsonValue } from '../../model/json.ts'
import { splitBatch } from '../../protocol/batch.ts'
import type { Message } from '../../protocol/jsonrpc.ts'
import { parseMessage } from '../../protocol/jsonrpc.ts'
import { SseReader, carriesPosition, wholeEvents } from '../../protocol/sse.ts'
import type { MessageSink } from '../incoming/messages.ts'
import { readMessages } from '../incoming/messages.ts'
import { Resumption } from './resumption.ts'
import { passedThrough } from './young-garbage.ts'

/** Results up to this size are parsed and patched; larger ones of the caller's own era pass as bytes. */
const STREAM_ABOVE = 64 * 1024
/** An error page needs no more to be recognised. */
const REFUSAL_LIMIT = 64 * 1024

type Headers = Readonly<Record<string, string | string[] | undefined>>

export type HttpAnswer =
  /** A JSON-RPC response or error, whatever the HTTP status. */
  | { kind: 'message'; status: number; headers: Headers; message: Message & { kind: 'response' | 'error' } }
  | { kind: 'stream'; stream: ResultStream }
  /** 2xx without a body. */
  | { kind: 'accepted'; status: number; headers: Headers }
  | { kind: 'refused'; status: number; headers: Headers; text: string }

export interface ExchangeOptions {
  /** The id whose response ends the exchange; `undefined` for a notification. */
  id: number | undefined
  signal: Cancellation | undefined
  deadline: Deadline | undefined
  streaming: boolean
  maxMessageBytes: number
  /** Notifications and requests of the server that arrive before the response. */
  onMessage: ((message: Message) => void) | undefined
  /** Where those go: the stream is not read on while it is full. */
  flow?: Flow | undefined
  /** Opens an event stream that broke off again, at a position of it. Absent: the server does not keep events. */
  resume: Resume | undefined
  /** The server has ended the stream on purpose, and named the time after which it wants to be asked again. */
  onLetGo?: ((retryMs: number) => void) | undefined
}

/** Sends a GET with `Last-Event-ID`. */
type Resume = (handler: Dispatcher.DispatchHandler, position: string) => void

type Mode = 'head' | 'buffer' | 'sse' | 'resuming' | 'stream' | 'done'

/** One POST and what comes back: JSON, an event stream, or a refusal. The only undici handler on the call path. */
export class Exchange implements Dispatcher.DispatchHandler, ResultStream, Link, MessageSink {
  readonly answer: Promise<HttpAnswer>
  readonly #options: ExchangeOptions
  #resolve!: (answer: HttpAnswer) => void
  #reject!: (error: Error) => void
  #mode: Mode = 'head'
  #controller: Dispatcher.DispatchController | undefined
  #status = 0
  #headers: Headers = {}
  #chunks: Buffer[] = []
  #size = 0
  #reader: SseReader | undefined
  #resumption: Resumption | undefined
  #sink: ByteSink | undefined
  /** Messages that were read already when nothing more could be passed on: the rest of a chunk. */
  #held: Message[] | undefined
  /** Ends the wait for the caller. */
  #unwait: (() => void) | undefined
  /** We do not read: silence is ours, and no time runs. */
  #release: (() => void) | undefined
  #ended = false
  #isJson = false
  #onFinish: (() => void)[] = []
  length: number | undefined
  /** When the response had come. */
  answeredAt = 0
  previous: Link | undefined = undefined
  next: Link | undefined = undefined

  constructor(options: ExchangeOptions) {
    this.#options = options
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // The connection may not exist yet: the caller is answered at once, the request is dropped when it gets its turn.
    options.signal?.onCancel((reason) => this.#fail(reason))
  }

  get upstreamId(): number {
    return this.#options.id ?? 0
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    const reason = this.#options.signal?.reason
    if (reason) controller.abort(reason)
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    if (this.#mode === 'resuming') {
      this.#onResumed(status, headers)
      return
    }
    this.#options.deadline?.touch()
    this.#status = status
    this.#headers = headers
    // What a server says to a notification beyond "accepted" is of no interest, and may never end.
    if (this.#options.id === undefined && status >= 200 && status < 300) {
      this.#settle({ kind: 'accepted', status, headers })
      lingering.add(this)
      return
    }
    const type = headers['content-type']
    this.#isJson = typeof type === 'string' && /^application\/json\b/i.test(type)
    if (isEventStream(type) && status === 200) {
      this.#mode = 'sse'
      return
    }
    this.#mode = 'buffer'
    const length = Number(headers['content-length'])
    if (Number.isSafeInteger(length) && length >= 0) this.length = length
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#options.deadline?.touch()
    switch (this.#mode) {
      case 'sse':
        this.#onEvents(chunk)
        return
      case 'buffer':
        this.#buffer(chunk)
        return
      case 'stream':
        passedThrough(chunk.length)
        if (!this.#sink) this.#chunks.push(chunk)
        else if (!this.#sink.write(chunk)) this.#pause()
        return
      case 'head':
      case 'resuming':
      case 'done':
    }
  }

  onResponseEnd(): void {
    this.#flush()
    switch (this.#mode) {
      case 'sse':
        if (this.#resume()) this.#letGo()
        else this.#fail(unanswered())
        return
      case 'resuming':
        if (!this.#resume()) this.#fail(unanswered())
        return
      case 'stream':
        this.#ended = true
        if (this.#sink) this.#endSink()
        return
      case 'head':
      case 'buffer':
        this.#finishBuffer()
        return
      case 'done':
        lingering.remove(this)
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#flush()
    lingering.remove(this)
    const broken = this.#mode === 'sse' || this.#mode === 'resuming'
    if (!broken || !this.#resume()) this.#fail(error)
  }

  /** Ends what the server still has to say. */
  cut(): void {
    if (this.#controller && !this.#controller.aborted) this.#controller.abort(ANSWERED)
  }

  #onEvents(chunk: Buffer): void {
    const { resume, maxMessageBytes } = this.#options
    const simple = !this.#reader && !(resume && carriesPosition(chunk))
    const events = simple ? wholeEvents(chunk) : undefined
    if (events) {
      for (const data of events) this.#onText(data)
      return
    }
    this.#reader ??= new SseReader(
      (event) => this.#onText(event.data),
      () => this.#tooLarge(),
      maxMessageBytes,
    )
    this.#reader.push(chunk)
    if (resume && this.#mode === 'sse') {
      this.#resumption ??= new Resumption()
      this.#resumption.read(this.#reader)
    }
  }

  /** The stream has broken off. `false`: it cannot be had again. */
  #resume(): boolean {
    const { resume } = this.#options
    this.#reader = undefined
    this.#controller = undefined
    if (!resume || !this.#resumption?.again((position) => resume(this, position))) return false
    this.#mode = 'resuming'
    return true
  }

  #letGo(): void {
    const retryMs = this.#resumption?.namedMs
    if (retryMs !== undefined) this.#options.onLetGo?.(retryMs)
  }

  #onResumed(status: number, headers: Headers): void {
    if (status === 200 && isEventStream(headers['content-type'])) {
      this.#mode = 'sse'
      return
    }
    // It may not have noticed yet that the old stream is gone, or be starting; any other refusal is final.
    if (status !== 409 && status !== 429 && status < 500) this.#fail(unanswered(status))
    else this.cut()
  }

  #buffer(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#size += chunk.length
    if (this.#size <= STREAM_ABOVE) return
    if (this.#status !== 200) {
      if (this.#size > REFUSAL_LIMIT) {
        this.#finishBuffer()
        this.cut()
      }
    } else if (this.#options.streaming && this.#options.id !== undefined && this.#isJson) {
      this.#mode = 'stream'
      this.#pause()
      this.#resolve({ kind: 'stream', stream: this })
    } else if (this.#size > this.#options.maxMessageBytes) this.#tooLarge()
  }

  #finishBuffer(): void {
    const [first] = this.#chunks
    const text = (this.#chunks.length === 1 && first ? first : Buffer.concat(this.#chunks)).toString('utf8')
    this.#chunks = []
    const { id, onMessage } = this.#options
    const status = this.#status
    const headers = this.#headers
    const message = asAnswer(text, id, onMessage)
    if (message) this.#settle({ kind: 'message', status, headers, message })
    else if (status >= 200 && status < 300) {
      const what = text === '' ? 'an empty body' : 'something that is no JSON-RPC response'
      this.#fail(
        new GatewayError(
          'BACKEND_PROTOCOL',
          `the backend answered with ${what} (HTTP ${status}; is this the URL of an MCP server?)`,
        ),
      )
    } else this.#settle({ kind: 'refused', status, headers, text })
  }

  #onText(text: string): void {
    // Events without data only carry a position.
    if (text === '' || this.#mode === 'done') return
    try {
      readMessages(text, this)
    } catch {
      // Noise on a stream is not worth the call.
    }
  }

  /** A message of the event stream. */
  take(message: Message): void {
    if (this.#held) this.#held.push(message)
    else if (this.#options.flow?.full && !this.#isAnswer(message)) this.#hold(message)
    else this.#deliver(message)
  }

  #isAnswer(message: Message): message is Message & { kind: 'response' | 'error' } {
    return (message.kind === 'response' || message.kind === 'error') && answers(message, this.#options.id)
  }

  #deliver(message: Message): void {
    if (this.#mode === 'done') return
    if (this.#isAnswer(message)) {
      this.#settle({ kind: 'message', status: this.#status, headers: this.#headers, message })
    } else this.#options.onMessage?.(message)
  }

  #hold(message: Message): void {
    if (this.#mode === 'done') return
    this.#held = [message]
    this.#pause()
    this.#wait()
  }

  #wait(): void {
    this.#unwait = this.#options.flow?.onDrain(() => this.#drain())
  }

  /** The caller reads, or has left. */
  #drain(): void {
    const { flow } = this.#options
    while (this.#held && this.#held.length > 0) {
      if (flow?.full && this.#mode !== 'done') return this.#wait()
      this.#deliverHeld(this.#held.shift() as Message)
    }
    this.#held = undefined
    this.resume()
  }

  /** The stream has ended or broken off: what is held is little. */
  #flush(): void {
    const held = this.#held
    if (!held) return
    this.#unwait?.()
    this.#held = undefined
    for (const message of held) this.#deliverHeld(message)
    this.#release?.()
    this.#release = undefined
  }

  #deliverHeld(message: Message): void {
    try {
      this.#deliver(message)
    } catch {
      // Noise on a stream is not worth the call.
    }
  }

  #pause(): void {
    this.#controller?.pause()
    this.#release ??= this.#options.deadline?.hold()
  }

  #tooLarge(): void {
    const limit = this.#options.maxMessageBytes
    this.#fail(
      new GatewayError('BACKEND_PROTOCOL', `the backend's answer is larger than maxMessageBytes (${limit} bytes)`),
    )
  }

  #settle(answer: HttpAnswer): void {
    if (this.#mode === 'sse') lingering.add(this)
    this.#mode = 'done'
    this.#resolve(answer)
  }

  #fail(error: Error): void {
    if (this.#mode === 'done') return
    const piped = this.#sink
    this.#mode = 'done'
    this.#chunks = []
    this.#held = undefined
    this.#unwait?.()
    this.#release?.()
    this.#resumption?.cancel()
    this.#reject(error)
    piped?.fail(error)
    for (const listener of this.#onFinish) listener()
    if (this.#controller && !this.#controller.aborted) this.#controller.abort(error)
  }

  pipe(sink: ByteSink): void {
    this.#sink = sink
    let more = true
    for (const chunk of this.#chunks) more = sink.write(chunk)
    this.#chunks = []
    if (this.#ended) this.#endSink()
    else if (more) this.resume()
  }

  resume(): void {
    this.#release?.()
    this.#release = undefined
    this.#controller?.resume()
  }

  onFinish(listener: () => void): void {
    this.#onFinish.push(listener)
  }

  abort(reason: Error): void {
    this.#fail(reason)
  }

  #endSink(): void {
    this.#mode = 'done'
    this.#sink?.end()
    for (const listener of this.#onFinish) listener()
  }
}

const ANSWERED = new Error('the response has been received')

const LINGER_MS = 1000

/**
 * Event streams whose response has come and whose end has not. Most end by themselves in the same breath, and their
 * connection is worth more to the next call than an abort; one timer for all cuts those that stay.
 */
class Lingering {
  readonly #exchanges = new Chain<Exchange>()
  #timer: NodeJS.Timeout | undefined

  add(exchange: Exchange): void {
    exchange.answeredAt = Date.now()
    this.#exchanges.add(exchange)
    if (this.#timer === undefined) this.#timer = setTimeout(() => this.#sweep(), LINGER_MS).unref()
  }

  remove(exchange: Exchange): void {
    this.#exchanges.remove(exchange)
  }

  #sweep(): void {
    const limit = Date.now() - LINGER_MS
    for (const exchange of this.#exchanges) if (exchange.answeredAt <= limit) exchange.cut()
    this.#timer = this.#exchanges.size > 0 ? setTimeout(() => this.#sweep(), LINGER_MS).unref() : undefined
  }
}

const lingering = new Lingering()

function isEventStream(type: string | string[] | undefined): boolean {
  return typeof type === 'string' && type.startsWith('text/event-stream')
}

/** The call may have been executed: it is never repeated. */
function unanswered(refusal?: number): GatewayError {
  const more = refusal === undefined ? '' : ` and does not let it be resumed (HTTP ${refusal})`
  return new GatewayError('BACKEND_PROTOCOL', `the backend closed its event stream before it answered${more}`)
}

function answers(message: { id: unknown }, id: number | undefined): boolean {
  return id !== undefined && (message.id === id || message.id === null)
}

function asAnswer(
  text: string,
  id: number | undefined,
  onMessage: ExchangeOptions['onMessage'],
): (Message & { kind: 'response' | 'error' }) | undefined {
  try {
    const message = parseMessage(text)
    if (message.kind === 'batch') return answerAmong(message.items, id, onMessage)
    if (message.kind === 'error') return message
    return message.kind === 'response' && answers(message, id) ? message : undefined
  } catch {
    return undefined
  }
}

function answerAmong(
  items: readonly JsonValue[],
  id: number | undefined,
  onMessage: ExchangeOptions['onMessage'],
): (Message & { kind: 'response' | 'error' }) | undefined {
  let answer: (Message & { kind: 'response' | 'error' }) | undefined
  for (const member of splitBatch(items)) {
    const fits = (member.kind === 'response' || member.kind === 'error') && answers(member, id)
    if (!fits) onMessage?.(member)
    else answer ??= member
  }
  return answer
}
