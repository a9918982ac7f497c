import type { Dispatcher } from 'undici'
import type { Leg, LegContext, Reply, UpstreamRequest } from '../leg.ts'
import { EraChanged, SessionLost } from '../leg.ts'
import { Cancellation } from '../../model/cancellation.ts'
import type { Link } from '../../model/chain.ts'
import { Chain } from '../../model/chain.ts'
import { GatewayError, JSONRPC } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import type { Message } from '../../protocol/jsonrpc.ts'
import { notificationText, upstreamId } from '../../protocol/jsonrpc.ts'
import { LATEST_LEGACY } from '../../protocol/revisions.ts'
import { legacyParams } from '../../protocol/translate.ts'
import type { Welcome } from '../welcome.ts'
import { readInitialized } from '../welcome.ts'
import { Succession } from '../following/succession.ts'
import { ChangeStream } from './change-stream.ts'
import type { Scope } from '../incoming/incoming.ts'
import { Incoming, resultOf } from '../incoming/incoming.ts'
import { Attribution, together } from '../incoming/attribution.ts'
import type { Exchange, ExchangeOptions, HttpAnswer } from './exchange.ts'
import { UpstreamLogLevel } from '../incoming/log-level.ts'
import { forgotSession, refusal, turnsAway } from './refusal.ts'
import type { HttpWire } from './wire.ts'
import { JSON_HEADERS, STREAM_HEADERS, networkFault } from './wire.ts'

/** A call that may be meant by what the server says on the stream of the session. */
interface Running extends Link {
  readonly id: number
  readonly scope: UpstreamRequest
  exchange: Exchange | undefined
}

/** A session with a legacy server over streamable HTTP (2025-03-26 .. 2025-11-25). */
export class LegacyHttpLeg implements Leg {
  readonly era = 'legacy'
  readonly revision: string
  readonly capabilities: JsonObject
  readonly instructions: string | undefined
  readonly keepsState: boolean
  readonly diesAlone = false
  readonly #wire: HttpWire
  readonly #context: LegContext
  readonly #headers: string[]
  readonly #streamHeaders: string[]
  readonly #incoming: Incoming
  readonly #running = new Chain<Running>()
  readonly #attribution: Attribution<Running>
  readonly #logLevel = new UpstreamLogLevel()
  readonly #stream = new Succession()
  /** Settles when the stream stands, or cannot. */
  #listening: Promise<void> | undefined
  #lost = false
  closed = false

  private constructor(wire: HttpWire, context: LegContext, welcome: Welcome, session: string | undefined) {
    this.#wire = wire
    this.#context = context
    this.revision = welcome.revision
    this.capabilities = welcome.capabilities
    this.instructions = welcome.instructions
    this.keepsState = session !== undefined
    const own = ['mcp-protocol-version', this.revision]
    if (session !== undefined) own.push('mcp-session-id', session)
    this.#headers = wire.headers([...JSON_HEADERS, ...own])
    this.#streamHeaders = wire.headers([...STREAM_HEADERS, ...own])
    this.#incoming = new Incoming(context, (text, asked) => this.#reply(text, asked))
    this.#attribution = new Attribution(context, this.#incoming)
  }

  /** After `initialize` was answered. Throws `BACKEND_ERROR` and `HttpRefusal` as the server answered. */
  static async begin(
    wire: HttpWire,
    context: LegContext,
    answer: HttpAnswer,
    signal: Cancellation,
  ): Promise<LegacyHttpLeg> {
    if (answer.kind !== 'message' || turnsAway(answer)) throw refusal(answer, wire.address)
    const welcome = readInitialized(resultOf(answer.message))
    const session = answer.headers['mcp-session-id']
    const leg = new LegacyHttpLeg(wire, context, welcome, typeof session === 'string' ? session : undefined)
    await leg.#send(notificationText('notifications/initialized', {}), signal)
    return leg
  }

  get hears(): boolean {
    return this.#stream.stands
  }

  async request(request: UpstreamRequest): Promise<Reply> {
    if (this.#lost) throw new SessionLost()
    const id = upstreamId()
    const { method, signal } = request
    const raised = this.#logLevel.raise(request, this)
    if (raised) await raised
    const params = legacyParams(request.params, request.patch, request.progress ? id : undefined)
    const running: Running = { id, scope: request, exchange: undefined, previous: undefined, next: undefined }
    this.#running.add(running)
    const body = JSON.stringify({ jsonrpc: '2.0', id, method, params })
    const options: ExchangeOptions = {
      id,
      signal,
      deadline: request.deadline,
      streaming: request.streaming,
      maxMessageBytes: this.#context.maxMessageBytes,
      onMessage: (message) => this.#incoming.take(message, request),
      flow: request.flow,
      resume: this.#openStream,
      onLetGo: request.letGo,
    }
    let answer: HttpAnswer
    try {
      answer = await this.#wire.as(request.caller.principal, (shown) => {
        running.exchange = this.#wire.post(body, this.#wire.with(this.#headers, shown, request.passed), options)
        return running.exchange.answer
      })
    } catch (error) {
      if (signal.cancelled) {
        this.#attribution.abandoned(running)
        this.#cancel(id, signal)
      }
      const fault = networkFault(error, this.#wire.address)
      this.#incoming.lost(request, fault)
      throw fault
    } finally {
      this.#running.remove(running)
    }
    this.#attribution.settled(running)
    if (answer.kind === 'stream') {
      signal.onCancel(() => this.#cancel(id, signal))
      return answer
    }
    if (this.keepsState && forgotSession(answer)) {
      this.#lost = true
      throw new SessionLost()
    }
    if (answer.kind !== 'message' || turnsAway(answer)) throw refusal(answer, this.#wire.address)
    const { message } = answer
    if (message.kind === 'error' && message.error.code === JSONRPC.unsupportedProtocolVersion)
      throw new EraChanged('legacy')
    return { kind: 'result', value: resultOf(message), era: 'legacy' }
  }

  notify(method: string, params: JsonObject): void {
    if (this.#incoming.concerns(method, params)) this.#send(notificationText(method, params)).catch(() => {})
  }

  setLogLevel(level: string): void {
    this.#logLevel.tell(level, this, new Cancellation()).catch(() => {})
  }

  listen(): Promise<void> | void {
    if (this.closed) return
    this.#listening ??= this.#stream.replace(({ acknowledged, refused }) => {
      return new ChangeStream({
        open: this.#openStream,
        onMessage: (message) => this.#onMessage(message),
        onGap: () => {
          this.#context.onListChanged()
          this.#context.onGap()
        },
        onOpened: acknowledged,
        onRefused: refused,
        resumable: true,
        maxMessageBytes: this.#context.maxMessageBytes,
      })
    })
    return this.#listening
  }

  /**
   * What comes on the stream of the session. Servers put there what belongs to a call, too, when they have lost sight of
   * it (it "SHOULD be unrelated": 2025-11-25, transports, "Listening for messages from the server").
   */
  #onMessage(message: Message): void {
    const running = [...this.#running].reverse()
    if (message.kind === 'request') this.#onQuestion(message, running)
    else if (message.kind === 'notification') this.#incoming.take(message, this.#hearer(message, running))
  }

  #onQuestion(message: Message & { kind: 'request' }, running: readonly Running[]): void {
    const client = this.#context.client()
    const caller = running.at(-1)?.scope.caller
    if (!client || !caller) return this.#attribution.question(message, running)
    // The session's client is asked where it listens for such; whichever call waits for the answer is not silent.
    const deadline = together(running)
    deadline.touch()
    const { ask } = client
    const scope = { caller, ask, deadline, signal: new Cancellation(), progress: false, onNotification: undefined }
    this.#incoming.take(message, scope)
  }

  #hearer({ method, params }: Message & { kind: 'notification' }, running: readonly Running[]): Scope | undefined {
    switch (method) {
      case 'notifications/progress':
        return running.find(({ id }) => id === params['progressToken'])?.scope
      case 'notifications/message':
        return this.#context.client() ? undefined : this.#attribution.hearer(running)
      case 'notifications/cancelled':
        this.#attribution.drop(JSON.stringify(params['requestId']))
    }
    return undefined
  }

  readonly #openStream = (handler: Dispatcher.DispatchHandler, position: string | undefined): void => {
    const headers = position === undefined ? this.#streamHeaders : [...this.#streamHeaders, 'last-event-id', position]
    this.#wire.open(undefined, headers, handler, this.#context.principal())
  }

  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    this.#stream.close()
    this.#attribution.end()
    this.#incoming.end(new GatewayError('CANCELLED', 'the connection to the backend has ended'))
    if (this.keepsState && !this.#lost) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1000).unref()
        const done = (): void => {
          clearTimeout(timer)
          resolve()
        }
        const handler = {
          onRequestStart: () => {},
          onResponseStart: () => {},
          onResponseData: () => {},
          onResponseEnd: done,
          onResponseError: done,
        }
        this.#wire.delete(this.#headers, handler, this.#context.principal())
      })
    }
  }

  #cancel(id: number, signal: Cancellation): void {
    const reason = signal.reason?.message ?? 'cancelled'
    this.#send(notificationText('notifications/cancelled', { requestId: id, reason })).catch(() => {})
  }

  /** A server that does not get the answer will not answer the call for which it asked, either. */
  async #reply(text: string, asked: Scope | undefined): Promise<void> {
    const answer = await this.#send(text).catch((error: Error) => error)
    if (!(answer instanceof Error) && (answer.kind === 'stream' || answer.status < 400)) return
    if (!(answer instanceof Error) && this.keepsState && forgotSession(answer)) this.#lost = true
    const why = this.#lost
      ? 'it has forgotten the session in which it asked'
      : 'it did not take the answer to its question'
    const lost = new GatewayError('BACKEND_UNREACHABLE', why)
    // What was attributed has a scope of its own, which shares the signal of its call.
    for (const { scope, exchange } of this.#running) if (scope.signal === asked?.signal) exchange?.abort(lost)
  }

  async #send(text: string, signal?: Cancellation): Promise<HttpAnswer> {
    const { maxMessageBytes, principal } = this.#context
    return this.#wire.postOwn(text, this.#headers, { id: undefined, signal, maxMessageBytes, principal: principal() })
  }
}

/** The first request of a legacy session. Throws the signal's reason, `BACKEND_UNREACHABLE` and `BACKEND_PROTOCOL`. */
export async function initialize(wire: HttpWire, context: LegContext, signal: Cancellation): Promise<HttpAnswer> {
  const id = upstreamId()
  const params = {
    protocolVersion: LATEST_LEGACY,
    capabilities: context.profile.legacy,
    clientInfo: context.identity,
  }
  const body = JSON.stringify({ jsonrpc: '2.0', id, method: 'initialize', params })
  const { maxMessageBytes } = context
  // Harmless to a legacy server; one that turns out to be modern reads it.
  return wire.postOwn(body, wire.headers([...JSON_HEADERS, 'mcp-method', 'initialize']), {
    id,
    signal,
    maxMessageBytes,
    principal: context.principal(),
  })
}
