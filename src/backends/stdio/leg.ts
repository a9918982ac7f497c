import type { Era, StdioEndpoint } from '../../model/backend.ts'
import { Cancellation } from '../../model/cancellation.ts'
import { GatewayError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import type { Message } from '../../protocol/jsonrpc.ts'
import { LATEST_LEGACY } from '../../protocol/revisions.ts'
import { legacyParams, modernParams } from '../../protocol/translate.ts'
import { resultOf } from '../answers.ts'
import { hopOf, ownHop } from '../hop.ts'
import type { Leg, LegContext, Reply, UpstreamRequest } from '../leg.ts'
import { SessionLost } from '../leg.ts'
import { UpstreamLogLevel } from '../log-level.ts'
import type { Welcome } from '../welcome.ts'
import { listenFilter, readDiscovered, readInitialized } from '../welcome.ts'
import { StdioChannel } from './channel.ts'

/** Silence after `server/discover` that means a legacy server (contract: probing over stdio). */
const PROBE_SILENCE_MS = 2000

/** One process, in the era that its first answered message pinned. */
export class StdioLeg implements Leg {
  readonly era: Era
  readonly revision: string
  readonly capabilities: JsonObject
  readonly instructions: string | undefined
  readonly keepsState = true
  readonly #channel: StdioChannel
  readonly #context: LegContext
  readonly #logLevel = new UpstreamLogLevel()
  #listening = false

  private constructor(channel: StdioChannel, context: LegContext, era: Era, welcome: Welcome) {
    this.#channel = channel
    this.#context = context
    this.era = era
    this.revision = welcome.revision
    this.capabilities = welcome.capabilities
    this.instructions = welcome.instructions
  }

  /**
   * `auto`: `server/discover` on the live process; an error or 2 s of silence: `initialize` on the same process;
   * an exit: started again as legacy.
   */
  static async open(
    endpoint: StdioEndpoint,
    era: Era | 'auto',
    context: LegContext,
    signal: Cancellation,
  ): Promise<StdioLeg> {
    let opened = false
    // An exit before that is told by the error of this function.
    const guarded: LegContext = { ...context, onLost: (error) => (opened ? context.onLost(error) : undefined) }
    const channel = await StdioChannel.open(endpoint, guarded)
    signal.onCancel(() => void channel.close())
    try {
      const leg = await StdioLeg.#greet(channel, era, context, signal)
      opened = true
      return leg
    } catch (error) {
      const exited = channel.ended
      await channel.close()
      if (era !== 'auto' || !exited || signal.cancelled) throw error
      return StdioLeg.open(endpoint, 'legacy', context, signal)
    }
  }

  static #greet(
    channel: StdioChannel,
    era: Era | 'auto',
    context: LegContext,
    signal: Cancellation,
  ): Promise<StdioLeg> {
    switch (era) {
      case 'legacy':
        return StdioLeg.#initialize(channel, context, signal)
      case 'modern':
        return StdioLeg.#discover(channel, context, signal)
      case 'auto':
        return StdioLeg.#probe(channel, context, signal)
    }
  }

  static async #probe(channel: StdioChannel, context: LegContext, signal: Cancellation): Promise<StdioLeg> {
    const discovered = StdioLeg.#discover(channel, context, signal)
    const silence = new Promise<undefined>((resolve) => setTimeout(resolve, PROBE_SILENCE_MS, undefined).unref())
    const first = await Promise.race([discovered.catch((error: unknown) => refusedModern(error)), silence])
    if (first) return first
    // A modern server that was only slow to start answers the probe now and refuses initialize.
    return Promise.any([StdioLeg.#initialize(channel, context, signal), discovered]).catch((error: unknown) => {
      throw error instanceof AggregateError ? error.errors[0] : error
    })
  }

  static async #initialize(channel: StdioChannel, context: LegContext, signal: Cancellation): Promise<StdioLeg> {
    const params = {
      protocolVersion: LATEST_LEGACY,
      capabilities: context.profile.legacy,
      clientInfo: context.identity,
    }
    const answer = await channel.request({ method: 'initialize', params: () => params, signal })
    const welcome = readInitialized(resultOf(answer))
    channel.notify('notifications/initialized', {})
    return new StdioLeg(channel, context, 'legacy', welcome)
  }

  static async #discover(channel: StdioChannel, context: LegContext, signal: Cancellation): Promise<StdioLeg> {
    const params = modernParams({}, {}, ownHop(context.identity))
    const answer = await channel.request({ method: 'server/discover', params: () => params, signal })
    const welcome = readDiscovered(resultOf(answer))
    if (!welcome)
      throw new GatewayError('BACKEND_PROTOCOL', 'server/discover names no revision that the gateway speaks')
    return new StdioLeg(channel, context, 'modern', welcome)
  }

  get closed(): boolean {
    return this.#channel.ended
  }

  async request(request: UpstreamRequest): Promise<Reply> {
    const { era } = this
    if (era === 'legacy') await this.#logLevel.raise(request, this)
    const { identity } = this.#context
    const message: Message & { kind: 'response' | 'error' } = await this.#channel.request({
      method: request.method,
      params: (id) => {
        const { params, patch } = request
        if (era === 'modern') return modernParams(params, patch, hopOf(request, identity, id))
        return legacyParams(params, patch, request.progress ? id : undefined)
      },
      signal: request.signal,
      scope: request,
      unread: () => new SessionLost(),
    })
    return { kind: 'result', value: resultOf(message), era }
  }

  notify(method: string, params: JsonObject): void {
    if (this.era === 'legacy') this.#channel.notify(method, params)
  }

  setLogLevel(level: string): void {
    if (this.era === 'legacy') this.#logLevel.tell(level, this, new Cancellation()).catch(() => {})
  }

  listen(): void {
    // A legacy process tells by itself.
    if (this.era === 'legacy' || this.#listening) return
    const notifications = listenFilter(this.capabilities)
    if (!notifications) return
    this.#listening = true
    const { identity } = this.#context
    this.#channel
      .request({ method: 'subscriptions/listen', params: () => modernParams({ notifications }, {}, ownHop(identity)) })
      .catch(() => {})
  }

  async close(): Promise<void> {
    await this.#channel.close()
  }
}

/** A JSON-RPC error in answer to the probe is a verdict; anything else is a failure of the process. */
function refusedModern(error: unknown): undefined {
  if (error instanceof GatewayError && (error.code === 'BACKEND_ERROR' || error.code === 'BACKEND_PROTOCOL'))
    return undefined
  throw error
}
