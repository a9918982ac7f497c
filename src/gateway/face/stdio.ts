import type { Readable, Writable } from 'node:stream'
import type { Context, Notification } from '../../model/call.ts'
import { Cancellation } from '../../model/cancellation.ts'
import { GatewayError } from '../../model/errors.ts'
import type { SessionId } from '../../model/ids.ts'
import { sessionOwner } from '../../model/ids.ts'
import type { JsonObject } from '../../model/json.ts'
import { ANONYMOUS } from '../../model/principal.ts'
import { NO_PROFILE } from '../../model/profile.ts'
import { classifyEra } from '../../protocol/classify.ts'
import type { Message } from '../../protocol/jsonrpc.ts'
import { errorText, notificationText, parseMessage, resultText } from '../../protocol/jsonrpc.ts'
import { LineReader } from '../../protocol/lines.ts'
import { LATEST_LEGACY } from '../../protocol/revisions.ts'
import type { Gateway } from '../gateway.ts'
import { Chain } from '../../model/chain.ts'
import { noticesOf } from './changes.ts'
import type { Handshake } from './handshake.ts'
import { handshakeOf } from './handshake.ts'
import { takeNotification } from './client-notifications.ts'
import { LegacyClient } from './legacy-client.ts'
import { modernCaller } from './modern-caller.ts'
import { RunningCall, cancelRunning } from './running.ts'
import { answerRequest } from './requests.ts'
import { Subscription } from './subscription.ts'
import { renderError } from './wire-error.ts'

const INPUT_ENDED = new GatewayError('CANCELLED', 'the input ended')

/** A ping may come before the handshake. */
const NOBODY: Handshake = { revision: LATEST_LEGACY, client: 'unknown', profile: NO_PROFILE }

/** The stdio door: one client, either era, one JSON message a line. */
export class StdioDoor {
  readonly #gateway: Gateway
  readonly #input: Readable
  readonly #output: Writable
  readonly #owner = sessionOwner('stdio' as SessionId)
  /** Modern requests; those of a legacy client run in its name. */
  readonly #running = new Chain<RunningCall>()
  readonly #work = new Set<Promise<void>>()
  /** Cancelled when the input is over, which ends subscriptions. */
  readonly #over = new Cancellation()
  /** Set by `initialize`; legacy requests come after it. */
  #client: LegacyClient | undefined
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
    this.#over.cancel(INPUT_ENDED)
    // Nobody is left to answer.
    this.#client?.takeBack(INPUT_ENDED)
    await Promise.all(this.#work)
    this.#unwatch?.()
    this.#gateway.release(this.#owner)
  }

  /** Ends what is running. */
  cancel(reason: Error): void {
    for (const { signal } of this.#running) signal.cancel(reason)
    this.#client?.end(reason)
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
        return this.#notification(message.method, message.params)
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
        return this.#client?.answer(message)
    }
  }

  #notification(method: string, params: JsonObject): void {
    const client = this.#client
    if (!client) {
      if (method === 'notifications/cancelled') cancelRunning(this.#running, params)
    } else if (method === 'notifications/initialized') {
      this.#unwatch ??= this.#gateway.core.watch(client, (change) => {
        for (const notice of noticesOf(change)) this.#write(notificationText(notice, {}))
      })
    } else takeNotification(this.#gateway, client, method, params)
  }

  async #request({ id, method, params }: Message & { kind: 'request' }): Promise<void> {
    const running = new RunningCall(id)
    let chain = this.#running
    let era: Context['era'] = 'legacy'
    try {
      const inbound = classifyEra(method, params, undefined)
      era = inbound.era
      let context: Context
      let client: LegacyClient | undefined
      if (inbound.era === 'legacy') {
        client = this.#clientFor(method, params)
        chain = client.running
        context = client.context(running, { streaming: false, emit: this.#emit, ask: client.ask })
      } else {
        const caller = modernCaller(inbound.envelope, ANONYMOUS, this.#owner)
        const way = { signal: running.signal, deadline: undefined, streaming: false, emit: this.#emit, ask: undefined }
        context = { ...caller, ...way }
      }
      chain.add(running)
      if (era === 'modern' && method === 'subscriptions/listen') return await this.#listen(id, params, context)
      const answer = await answerRequest(this.#gateway, method, params, context, client)
      if (answer.kind === 'text') this.#write(`{"jsonrpc":"2.0","id":${id},"result":${answer.text}}`)
    } catch (failure) {
      // A cancelled request gets no answer (basic/utilities/cancellation).
      if (!(failure instanceof GatewayError) || failure.code !== 'CANCELLED') this.#fail(id, method, failure, era)
    } finally {
      chain.remove(running)
    }
  }

  /** The client that shook hands, or does so with this request. */
  #clientFor(method: string, params: JsonObject): LegacyClient {
    if (method === 'initialize') {
      this.#client = new LegacyClient(ANONYMOUS, this.#owner, handshakeOf(params), (json) => this.#write(json))
      this.#gateway.admit(this.#owner, this.#client)
    }
    if (this.#client) return this.#client
    if (method !== 'ping') throw new GatewayError('REQUEST_MALFORMED', 'Invalid Request: send initialize first')
    return new LegacyClient(ANONYMOUS, this.#owner, NOBODY, () => false)
  }

  async #listen(id: string, params: JsonObject, context: Context): Promise<void> {
    const subscription = new Subscription(id, params, this.#gateway.identity)
    const unwatch = this.#gateway.core.watch(context, (change) => subscription.tell(change))
    await new Promise<void>((resolve) => {
      context.signal.onCancel(() => resolve())
      this.#over.onCancel(() => resolve())
      subscription.start((json) => this.#write(json), resolve)
    })
    unwatch()
  }

  #fail(id: string, method: string, failure: unknown, era: Context['era']): void {
    const rendered = renderError(failure, method, era, this.#gateway.telemetry)
    this.#write(rendered.kind === 'result' ? resultText(id, rendered.result) : errorText(id, rendered.error))
  }

  readonly #emit = ({ method, params }: Notification): void => {
    this.#write(notificationText(method, params))
  }

  #write(json: string): boolean {
    if (!this.#output.write(`${json}\n`)) this.#input.pause()
    return !this.#output.destroyed
  }
}
