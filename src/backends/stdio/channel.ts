import type { Deadline } from '../../model/call.ts'
import type { Cancellation } from '../../model/cancellation.ts'
import type { StdioEndpoint } from '../../model/backend.ts'
import { GatewayError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import type { Message } from '../../protocol/jsonrpc.ts'
import { notificationText, parseMessage, upstreamId } from '../../protocol/jsonrpc.ts'
import { LineReader } from '../../protocol/lines.ts'
import type { Scope } from '../answers.ts'
import { Answers } from '../answers.ts'
import type { LegContext } from '../leg.ts'
import { ServerProcess } from './process.ts'
import { TextLines } from './text-lines.ts'

/** Lines of stderr that explain an early exit. */
const LAST_WORDS = 3

interface Pending {
  resolve: (message: Message & { kind: 'response' | 'error' }) => void
  reject: (error: Error) => void
  /** Absent: a request of the gateway's own. */
  scope: Scope | undefined
}

export interface ChannelRequest {
  method: string
  /** Receives the request's id, which is also its progress token. */
  params: (id: number) => JsonObject
  signal?: Cancellation
  /** What belongs to this request besides its answer. */
  scope?: Scope
  /** The error for a request that the process did not live to read. Absent: how it ended. */
  unread?: () => Error
}

/** JSON-RPC over the standard streams of one process, of either era: one message a line, both ways. */
export class StdioChannel {
  readonly #process: ServerProcess
  readonly #context: LegContext
  readonly #pending = new Map<number, Pending>()
  readonly #answers: Answers
  readonly #lastWords: string[] = []
  #end: Error | undefined
  #closing = false

  static async open(endpoint: StdioEndpoint, context: LegContext): Promise<StdioChannel> {
    return new StdioChannel(await ServerProcess.start(endpoint), context, secretsOf(endpoint))
  }

  private constructor(process: ServerProcess, context: LegContext, secrets: readonly string[]) {
    this.#process = process
    this.#context = context
    this.#answers = new Answers(context, async (text) => process.write(`${text}\n`))
    const lines = new LineReader(
      (line) => this.#onLine(line),
      () => this.#onOverflow(),
      context.maxMessageBytes,
    )
    process.stdout?.on('data', (chunk: Buffer) => lines.push(chunk))
    const errors = new TextLines((line) => this.#onErrorLine(secrets.reduce(hide, line)))
    process.stderr?.on('data', (chunk: Buffer) => errors.push(chunk))
    process.stderr?.on('close', () => errors.end())
    process.exited.then(
      (how) => this.#onExit(how),
      () => {},
    )
  }

  get ended(): boolean {
    return this.#end !== undefined
  }

  /** Throws the signal's reason, or `BACKEND_UNREACHABLE` when the process ends first. */
  async request(request: ChannelRequest): Promise<Message & { kind: 'response' | 'error' }> {
    if (this.#end) throw this.#end
    const { method, signal, scope, unread } = request
    const id = upstreamId()
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, scope })
      signal?.onCancel((reason) => {
        if (!this.#pending.delete(id)) return
        this.notify('notifications/cancelled', { requestId: id, reason: reason.message })
        reject(reason)
      })
      if (signal?.cancelled) return
      this.#process.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params: request.params(id) })}\n`, () => {
        if (unread && this.#pending.delete(id)) reject(unread())
      })
    })
  }

  notify(method: string, params: JsonObject): void {
    if (!this.#end) this.#process.write(`${notificationText(method, params)}\n`)
  }

  async close(): Promise<void> {
    // One that ended by itself before is a loss all the same.
    if (!this.#process.ended) this.#closing = true
    await this.#process.stop()
  }

  #onLine(line: string): void {
    // Servers print banners here; only what starts like an object can be a message.
    if (!line.startsWith('{') && !line.trimStart().startsWith('{')) return this.#onNoise(line)
    let message: Message
    try {
      message = parseMessage(line)
    } catch {
      return this.#onNoise(line)
    }
    if (message.kind === 'invalid') this.#onNoise(line)
    else if (message.kind === 'response' || message.kind === 'error') this.#settle(message)
    else {
      const scope = this.#scopeOf(message)
      scope?.deadline?.touch()
      this.#answers.take(message, scope)
    }
  }

  /**
   * The request that a message came of. Progress names it. Of a question or a log line one process does not say:
   * it is attributed when only one caller can be meant, so that nothing reaches a wrong client.
   */
  #scopeOf(message: Message): Scope | undefined {
    if (message.kind === 'notification' && message.method === 'notifications/progress') {
      const token = message.params['progressToken']
      return typeof token === 'number' ? this.#pending.get(token)?.scope : undefined
    }
    const asks = message.kind === 'request'
    const candidates: Scope[] = []
    for (const { scope } of this.#pending.values()) {
      if (asks ? scope?.ask : scope?.onNotification) candidates.push(scope as Scope)
    }
    const latest = candidates.at(-1)
    if (!latest || candidates.length === 1) return latest
    // Every call on the process of a legacy session is that session's.
    return this.#context.client() ? { ...latest, deadline: together(candidates) } : undefined
  }

  #settle(message: Message & { kind: 'response' | 'error' }): void {
    const pending = typeof message.id === 'number' ? this.#pending.get(message.id) : undefined
    if (!pending) return
    this.#pending.delete(message.id as number)
    pending.resolve(message)
  }

  #onNoise(line: string): void {
    this.#context.telemetry.emit('backend.noise', { backend: this.#context.backend, line: line.slice(0, 200) })
  }

  #onErrorLine(line: string): void {
    this.#lastWords.push(line.slice(0, 200))
    if (this.#lastWords.length > LAST_WORDS) this.#lastWords.shift()
    this.#context.telemetry.emit('backend.stderr', { backend: this.#context.backend, line })
  }

  #onOverflow(): void {
    const limit = this.#context.maxMessageBytes
    this.#fail(new GatewayError('BACKEND_PROTOCOL', `a message is larger than maxMessageBytes (${limit} bytes)`))
    this.#process.stop().catch(() => {})
  }

  #onExit(how: string): void {
    // What it started may still be there.
    this.#process.stop().catch(() => {})
    const words = this.#lastWords.join(' / ')
    // What a process wrote may be about another client: it is for the log, never for the caller.
    this.#fail(new GatewayError('BACKEND_UNREACHABLE', `the process ${how}`, words === '' ? {} : { detail: words }))
  }

  #fail(error: Error): void {
    if (this.#end) return
    this.#end = error
    this.#answers.end(error)
    for (const pending of this.#pending.values()) pending.reject(error)
    this.#pending.clear()
    if (!this.#closing) this.#context.onLost(error)
  }
}

/** Any of several calls may be the one that waits for a person. */
function together(scopes: readonly Scope[]): Deadline {
  return {
    touch: () => {
      for (const { deadline } of scopes) deadline?.touch()
    },
    hold: () => {
      const held = scopes.map(({ deadline }) => deadline?.hold())
      return () => {
        for (const release of held) release?.()
      }
    },
  }
}

/** Shorter values are words, not secrets: hiding them would make a log unreadable. */
const SHORTEST_SECRET = 8

/** Configured values that a server may write to its log. */
function secretsOf({ env }: StdioEndpoint): string[] {
  return Object.values(env)
    .map((value) => value.reveal())
    .filter((value) => value.length >= SHORTEST_SECRET)
}

function hide(line: string, secret: string): string {
  return line.replaceAll(secret, '***')
}
