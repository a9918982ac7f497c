import type { Leg, LegContext, Reply, UpstreamRequest } from '../leg.ts'
import { EraChanged } from '../leg.ts'
import type { Cancellation } from '../../model/cancellation.ts'
import { JSONRPC } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import { encodeHeaderValue, nameSource } from '../../protocol/headers.ts'
import { upstreamId } from '../../protocol/jsonrpc.ts'
import { paramHeaderPairs, paramHeadersOf } from '../../protocol/param-headers.ts'
import { LATEST_MODERN } from '../../protocol/revisions.ts'
import { modernParams } from '../../protocol/translate.ts'
import { Incoming, resultOf } from '../incoming/incoming.ts'
import { hopOf, ownHop } from '../hop.ts'
import type { Told } from '../following/succession.ts'
import { Succession } from '../following/succession.ts'
import type { Welcome } from '../welcome.ts'
import { ACKNOWLEDGED, listenFilter } from '../welcome.ts'
import { ChangeStream } from './change-stream.ts'
import type { ExchangeOptions, HttpAnswer } from './exchange.ts'
import { refusal, turnsAway } from './refusal.ts'
import type { HttpWire } from './wire.ts'
import { JSON_HEADERS, networkFault } from './wire.ts'

/** A modern server over streamable HTTP (2026-07-28): no session, an envelope and standard headers per request. */
export class ModernHttpLeg implements Leg {
  readonly era = 'modern'
  readonly revision = LATEST_MODERN
  readonly capabilities: JsonObject
  readonly instructions: string | undefined
  readonly keepsState = false
  readonly diesAlone = false
  readonly #wire: HttpWire
  readonly #context: LegContext
  readonly #headers: readonly string[]
  readonly #incoming: Incoming
  readonly #watches = new Succession()
  #filter: string | undefined
  closed = false

  constructor(wire: HttpWire, context: LegContext, welcome: Welcome) {
    this.#wire = wire
    this.#context = context
    this.capabilities = welcome.capabilities
    this.instructions = welcome.instructions
    this.#headers = modernHeaders(wire)
    // Modern servers may not send requests, so there is nothing to answer.
    this.#incoming = new Incoming(context, async () => {})
  }

  get hears(): boolean {
    return this.#watches.stands
  }

  async request(request: UpstreamRequest): Promise<Reply> {
    const id = upstreamId()
    const { method } = request
    const params = modernParams(request.params, request.patch, hopOf(request, this.#context.identity, id))
    const body = JSON.stringify({ jsonrpc: '2.0', id, method, params })
    const headers = this.#headersFor(method, params, request.tool)
    const options: ExchangeOptions = {
      id,
      signal: request.signal,
      deadline: request.deadline,
      streaming: request.streaming,
      maxMessageBytes: this.#context.maxMessageBytes,
      onMessage: (message) => this.#incoming.take(message, request),
      flow: request.flow,
      resume: undefined,
    }
    let answer: HttpAnswer
    try {
      answer = await this.#wire.as(request.caller.principal, (shown) => {
        return this.#wire.post(body, this.#wire.with(headers, shown, request.passed), options).answer
      })
    } catch (error) {
      throw networkFault(error, this.#wire.address)
    }
    if (answer.kind === 'stream') return answer
    if (isLegacyRefusal(answer)) throw new EraChanged('modern')
    if (answer.kind !== 'message' || turnsAway(answer)) throw refusal(answer, this.#wire.address)
    const { message } = answer
    // Another server may stand there now.
    if (message.kind === 'error' && message.error.code === JSONRPC.unsupportedProtocolVersion)
      throw new EraChanged('modern')
    return { kind: 'result', value: resultOf(message), era: 'modern' }
  }

  #headersFor(method: string, params: JsonObject, tool?: JsonObject): string[] {
    const headers = [...this.#headers, 'mcp-method', method]
    const name = nameSource(method, params)
    if (name !== undefined) headers.push('mcp-name', encodeHeaderValue(name))
    const mirrored = tool && paramHeadersOf(tool)
    if (typeof mirrored === 'object') headers.push(...paramHeaderPairs(mirrored, params))
    return headers
  }

  /** Modern servers take no notifications over HTTP. */
  notify(): void {}

  setLogLevel(): void {}

  listen(resources: readonly string[]): Promise<void> | void {
    const notifications = listenFilter(this.capabilities, resources)
    const filter = JSON.stringify(notifications)
    if (filter === this.#filter || this.closed) return
    this.#filter = filter
    if (!notifications) return this.#watches.close()
    return this.#watches.replace((told) => this.#watch(notifications, told))
  }

  #watch(notifications: JsonObject, { acknowledged, refused }: Told): ChangeStream {
    return new ChangeStream({
      open: (handler) => {
        const method = 'subscriptions/listen'
        const params = modernParams({ notifications }, {}, ownHop(this.#context.identity))
        const body = JSON.stringify({ jsonrpc: '2.0', id: upstreamId(), method, params })
        this.#wire.open(body, this.#headersFor(method, params), handler, this.#context.principal())
      },
      onMessage: (message) => {
        if (message.kind === 'notification' && message.method === ACKNOWLEDGED) acknowledged()
        else this.#incoming.take(message, undefined)
      },
      onGap: () => {
        this.#context.onListChanged()
        this.#context.onGap()
      },
      onRefused: refused,
      resumable: false,
      maxMessageBytes: this.#context.maxMessageBytes,
    })
  }

  async close(): Promise<void> {
    this.closed = true
    this.#watches.close()
  }
}

/** How legacy servers turn a request without a session away: an HTTP 400 with a code that no modern server gives. */
function isLegacyRefusal(answer: HttpAnswer): boolean {
  if (answer.kind === 'stream' || answer.kind === 'accepted' || answer.status !== 400) return false
  if (answer.kind === 'refused') return true
  return answer.message.kind === 'error' && LEGACY_REFUSALS.includes(answer.message.error.code)
}

const LEGACY_REFUSALS: readonly number[] = [-32_000, -32_001, JSONRPC.invalidRequest]

function modernHeaders(wire: HttpWire): string[] {
  return wire.headers([...JSON_HEADERS, 'mcp-protocol-version', LATEST_MODERN])
}

/** `server/discover`: the era probe, and the capabilities of a modern server. */
export async function discover(wire: HttpWire, context: LegContext, signal: Cancellation): Promise<HttpAnswer> {
  const id = upstreamId()
  const method = 'server/discover'
  const params = modernParams({}, {}, ownHop(context.identity))
  const headers = [...modernHeaders(wire), 'mcp-method', method]
  const { maxMessageBytes } = context
  const body = JSON.stringify({ jsonrpc: '2.0', id, method, params })
  return wire.postOwn(body, headers, { id, signal, maxMessageBytes, principal: context.principal() })
}
