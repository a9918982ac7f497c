import type { Readable, Writable } from 'node:stream'
import type { Context } from '../../model/call.ts'
import { Cancellation } from '../../model/cancellation.ts'
import { GatewayError } from '../../model/errors.ts'
import type { SessionId } from '../../model/ids.ts'
import { sessionOwner } from '../../model/ids.ts'
import type { JsonObject } from '../../model/json.ts'
import { ANONYMOUS } from '../../model/principal.ts'
import { classifyEra } from '../../protocol/classify.ts'
import type { Message } from '../../protocol/jsonrpc.ts'
import { errorText, notificationText, parseMessage, resultText } from '../../protocol/jsonrpc.ts'
import { LineReader } from '../../protocol/lines.ts'
import type { Gateway } from '../gateway.ts'
import { Chain } from '../../model/chain.ts'
import { noticesOf } from './changes.ts'
import { handshakeOf } from './handshake.ts'
import { RunningCall, cancelRunning } from './running.ts'
import { answerRequest } from './requests.ts'
import { Subscription } from './subscription.ts'
import { renderError } from './wire-error.ts'

/** The stdio door: one client, either era, one JSON message a line. */
export class StdioDoor {
  readonly #gateway: Gateway
  readonly #input: Readable
  readonly #output: Writable
  readonly #caller = { principal: ANONYMOUS, owner: sessionOwner('stdio' as SessionId) }
  readonly #running = new Chain<RunningCall>()
  readonly #work = new Set<Promise<void>>()
  /** Cancelled when the input is over, which ends subscriptions. */
  readonly #over = new Cancellation()
  /** Set by `initialize`; legacy requests come after it. */
  #legacyRevision: string | undefined
  #unwatch: (() => void) | undefined

  constructor(gateway: Gateway, input: Readable, output: Writable) {
    this.#gateway = gateway
    this.#input = input
    this.#output = output
  }

  /** Serves until the input ends, then finishes what is running. */
  async serve(maxRequestBytes: number): Promise<void> {
    const lines = new LineReader(
      (line) => this.#onLine(line),
      () => {
        this.#write(errorText('null', { code: -32600, message: `a message is larger than ${maxRequestBytes} bytes` }))
        this.#input.destroy()
      },
      maxRequestBytes,
    )
    // A client that does not read its answers is not read either.
    this.#output.on('drain', () => this.#input.resume())
    this.#input.on('data', (chunk: Buffer) => lines.push(chunk))
    await new Promise<void>((resolve) => {
      this.#input.once('end', resolve)
      this.#input.once('close', resolve)
      // Every further write fails once more.
      this.#output.on('error', () => resolve())
    })
    lines.end()
    this.#over.cancel(new GatewayError('CANCELLED', 'the input ended'))
    await Promise.all(this.#work)
    this.#unwatch?.()
    this.#gateway.release(this.#caller.owner)
  }

  /** Ends what is running. */
  cancel(reason: Error): void {
    for (const { signal } of this.#running) signal.cancel(reason)
  }

  #onLine(line: string): void {
    let message: Message
    try {
      message = parseMessage(line)
    } catch (failure) {
      return this.#fail('null', '', failure, 'legacy')
    }
    switch (message.kind) {
      case 'request': {
        const work = this.#request(message).finally(() => this.#work.delete(work))
        this.#work.add(work)
        return
      }
      case 'notification':
        if (message.method === 'notifications/cancelled') cancelRunning(this.#running, message.params)
        else if (message.method === 'notifications/initialized') this.#watch()
        return
      case 'batch':
        return this.#fail(
          'null',
          '',
          new GatewayError('REQUEST_MALFORMED', 'JSON-RPC batches are not served'),
          'legacy',
        )
      case 'invalid':
        return this.#fail(
          message.id,
          '',
          new GatewayError('REQUEST_MALFORMED', `Invalid Request: ${message.problem}`),
          'legacy',
        )
      case 'response':
      case 'error':
    }
  }

  async #request({ id, method, params }: Message & { kind: 'request' }): Promise<void> {
    const running = new RunningCall(id)
    const { signal } = running
    let era: Context['era'] = 'legacy'
    try {
      const inbound = classifyEra(method, params, undefined)
      era = inbound.era
      if (inbound.era === 'legacy') this.#checkHandshake(method, params)
      this.#running.add(running)
      if (inbound.era === 'modern' && method === 'subscriptions/listen') return await this.#listen(id, params, signal)
      const revision = inbound.era === 'modern' ? inbound.envelope.version : (this.#legacyRevision ?? '')
      const answer = await answerRequest(this.#gateway, method, params, {
        ...this.#caller,
        era,
        revision,
        signal,
        deadline: undefined,
        streaming: false,
        emit: (notification) => this.#write(notificationText(notification.method, notification.params)),
      })
      if (answer.kind === 'text') this.#write(`{"jsonrpc":"2.0","id":${id},"result":${answer.text}}`)
    } catch (failure) {
      // A cancelled request gets no answer (basic/utilities/cancellation).
      if (!(failure instanceof GatewayError) || failure.code !== 'CANCELLED') this.#fail(id, method, failure, era)
    } finally {
      this.#running.remove(running)
    }
  }

  #checkHandshake(method: string, params: JsonObject): void {
    if (method === 'initialize') this.#legacyRevision = handshakeOf(params).revision
    else if (this.#legacyRevision === undefined && method !== 'ping') {
      throw new GatewayError('REQUEST_MALFORMED', 'Invalid Request: send initialize first')
    }
  }

  #watch(): void {
    this.#unwatch ??= this.#gateway.core.watch(this.#caller, (change) => {
      for (const method of noticesOf(change)) this.#write(notificationText(method, {}))
    })
  }

  async #listen(id: string, params: JsonObject, signal: Cancellation): Promise<void> {
    const subscription = new Subscription(id, params, this.#gateway.identity)
    const unwatch = this.#gateway.core.watch(this.#caller, (change) => subscription.tell(change))
    await new Promise<void>((resolve) => {
      signal.onCancel(() => resolve())
      this.#over.onCancel(() => resolve())
      subscription.start((json) => this.#write(json), resolve)
    })
    unwatch()
  }

  #fail(id: string, method: string, failure: unknown, era: Context['era']): void {
    const rendered = renderError(failure, method, era, this.#gateway.telemetry)
    this.#write(rendered.kind === 'result' ? resultText(id, rendered.result) : errorText(id, rendered.error))
  }

  #write(json: string): void {
    if (!this.#output.write(`${json}\n`)) this.#input.pause()
  }
}
