import type { Readable, Writable } from 'node:stream'
import type { Context, Notification } from '../../model/call.ts'
import { Cancellation } from '../../model/cancellation.ts'
import { Chain } from '../../model/chain.ts'
import { GatewayError, JSONRPC } from '../../model/errors.ts'
import type { SessionId } from '../../model/ids.ts'
import { sessionOwner } from '../../model/ids.ts'
import type { JsonObject } from '../../model/json.ts'
import { ANONYMOUS } from '../../model/principal.ts'
import { classifyEra } from '../../protocol/classify.ts'
import type { Envelope } from '../../protocol/envelope.ts'
import type { Message } from '../../protocol/jsonrpc.ts'
import { errorText, notificationText, parseMessage } from '../../protocol/jsonrpc.ts'
import { LineReader } from '../../protocol/lines.ts'
import { idOfLong } from '../../protocol/long-line.ts'
import type { Gateway } from '../gateway.ts'
import { Conversation } from './legacy/conversation.ts'
import { modernCaller } from './modern-caller.ts'
import { Outflow } from './outflow.ts'
import { RunningCall, cancelRunning } from './legacy/running.ts'
import type { Request } from './answering/response-text.ts'
import { failureText, responseText } from './answering/response-text.ts'
import { Subscription } from './listening/subscription.ts'
import { MAX_WAITING } from './waiting.ts'

const INPUT_ENDED = new GatewayError('CANCELLED', 'the input ended')

/** The stdio door: one client, either era, one JSON message a line. */
export class StdioDoor {
  readonly #gateway: Gateway
  readonly #input: Readable
  readonly #output: Writable
  readonly #flow: Outflow
  readonly #owner = sessionOwner('stdio' as SessionId)
  /** The legacy client, if it is one. */
  readonly #legacy: Conversation
  /** Modern requests; those of a legacy client run in its name. */
  readonly #running = new Chain<RunningCall>()
  readonly #subscriptions = new Set<Subscription>()
  readonly #work = new Set<Promise<void>>()
  /** Cancelled when the input is over, which ends subscriptions. */
  readonly #over = new Cancellation()
  /** Resolves when the client has closed our input, or does not read our output any more. */
  readonly left = new Promise<void>((resolve) => this.#over.onCancel(() => resolve()))

  constructor(gateway: Gateway, input: Readable, output: Writable) {
    this.#gateway = gateway
    this.#input = input
    this.#output = output
    this.#flow = new Outflow(output)
    this.#legacy = new Conversation(gateway, ANONYMOUS, this.#owner, {
      put: this.#put,
      send: this.#send,
      flow: this.#flow,
    })
  }

  /** Serves until the input ends, then finishes what is running. */
  async serve(maxRequestBytes: number): Promise<void> {
    this.#gateway.start()
    const lines = new LineReader(
      (line) => this.#onLine(line),
      (line) => {
        const message = `a message is larger than maxRequestBytes (${maxRequestBytes} bytes)`
        this.#put(errorText(idOfLong(line), { code: JSONRPC.invalidRequest, message }))
      },
      maxRequestBytes,
    )
    // A client that does not read its answers is not read either.
    this.#output.on('drain', () => {
      this.#input.resume()
      this.#legacy.flush()
      for (const subscription of this.#subscriptions) subscription.flush()
    })
    this.#input.on('data', (chunk: Buffer) => lines.push(chunk))
    await new Promise<void>((resolve) => {
      this.#input.once('end', resolve)
      this.#input.once('close', resolve)
      // Every further write fails once more.
      this.#output.on('error', () => resolve())
    })
    lines.end()
    this.#over.cancel(INPUT_ENDED)
    // Nobody is left to answer.
    this.#legacy.client?.takeBack(INPUT_ENDED)
    await Promise.all(this.#work)
    this.#legacy.end(INPUT_ENDED)
  }

  /** Ends what is running. */
  cancel(reason: Error): void {
    for (const { signal } of this.#running) signal.cancel(reason)
    this.#legacy.client?.end(reason)
  }

  #onLine(line: string): void {
    let message: Message
    try {
      message = parseMessage(line)
    } catch (failure) {
      return this.#fail('null', '', failure, 'legacy')
    }
    switch (message.kind) {
      case 'request':
        return this.#follow(this.#request(message), message.id)
      case 'batch':
        return this.#follow(this.#legacy.batch(message.items), 'null')
      case 'notification':
        return this.#notification(message.method, message.params)
      case 'invalid':
        return this.#fail(
          message.id,
          '',
          new GatewayError('REQUEST_MALFORMED', `Invalid Request: ${message.problem}`),
          'legacy',
        )
      case 'response':
      case 'error':
        return this.#legacy.answer(message)
    }
  }

  /** Work that has to finish before the door closes. What it throws is the answer. */
  #follow(task: Promise<void>, id: string): void {
    const work = task
      .catch((failure: unknown) => this.#fail(id, '', failure, 'legacy'))
      .finally(() => this.#work.delete(work))
    this.#work.add(work)
  }

  #notification(method: string, params: JsonObject): void {
    if (this.#legacy.client) this.#legacy.notification(method, params)
    else if (method === 'notifications/cancelled') cancelRunning(this.#running, params)
  }

  async #request(request: Request): Promise<void> {
    const inbound = classifyEra(request.method, request.params, undefined)
    if (inbound.era === 'legacy') return this.#legacy.request(request)
    const running = new RunningCall(request.id)
    this.#running.add(running)
    try {
      await this.#modern(request, inbound.envelope, running.signal)
    } finally {
      this.#running.remove(running)
    }
  }

  async #modern(request: Request, envelope: Envelope, signal: Cancellation): Promise<void> {
    const context: Context = {
      ...modernCaller(envelope, ANONYMOUS, this.#owner),
      signal,
      deadline: undefined,
      streaming: false,
      emit: this.#emit,
      flow: this.#flow,
      ask: undefined,
      header: undefined,
    }
    if (request.method === 'subscriptions/listen') return this.#listen(request, context)
    const text = await responseText(this.#gateway, request, context, undefined)
    if (text !== undefined) this.#put(text)
  }

  async #listen({ id, params }: Request, context: Context): Promise<void> {
    const subscription = new Subscription(id, params, this.#gateway, context)
    const unwatch = this.#gateway.core.watch(context, (change) => subscription.tell(change))
    this.#subscriptions.add(subscription)
    const { promise, resolve } = Promise.withResolvers<void>()
    const over = (): void => resolve()
    context.signal.onCancel(over)
    this.#over.onCancel(over)
    void subscription.start({ put: this.#put, send: this.#send, flow: this.#flow }, over)
    await promise
    this.#over.offCancel(over)
    this.#subscriptions.delete(subscription)
    subscription.leave()
    unwatch()
  }

  #fail(id: string, method: string, failure: unknown, era: Context['era']): void {
    this.#put(failureText(this.#gateway, id, method, failure, era))
  }

  readonly #emit = ({ method, params }: Notification): void => {
    this.#send(notificationText(method, params))
  }

  readonly #put = (json: string): void => {
    if (!this.#output.write(`${json}\n`)) this.#input.pause()
  }

  /** What a client can do without that does not read. */
  readonly #send = (json: string): boolean => {
    if (this.#output.destroyed || this.#output.writableLength > MAX_WAITING) return false
    this.#put(json)
    return true
  }
}
