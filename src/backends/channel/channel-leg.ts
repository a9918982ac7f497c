import type { Era } from '../../model/backend.ts'
import { Cancellation } from '../../model/cancellation.ts'
import { GatewayError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import { LATEST_LEGACY } from '../../protocol/revisions.ts'
import { legacyParams, modernParams } from '../../protocol/translate.ts'
import { resultOf } from '../incoming/incoming.ts'
import { ChannelWatch } from './channel-watch.ts'
import type { Channel } from './channel.ts'
import { hopOf, ownHop } from '../hop.ts'
import type { Leg, LegContext, Reply, UpstreamRequest } from '../leg.ts'
import { UpstreamLogLevel } from '../incoming/log-level.ts'
import { Succession } from '../following/succession.ts'
import type { Welcome } from '../welcome.ts'
import { listenFilter, readDiscovered, readInitialized } from '../welcome.ts'

/** A server at the other end of a channel, in the era in which it was greeted. */
export class ChannelLeg implements Leg {
  readonly era: Era
  readonly revision: string
  readonly capabilities: JsonObject
  readonly instructions: string | undefined
  readonly keepsState = true
  readonly diesAlone = true
  readonly #channel: Channel
  readonly #context: LegContext
  readonly #logLevel = new UpstreamLogLevel()
  readonly #watches = new Succession()
  #filter: string | undefined

  private constructor(channel: Channel, context: LegContext, era: Era, welcome: Welcome) {
    this.#channel = channel
    this.#context = context
    this.era = era
    this.revision = welcome.revision
    this.capabilities = welcome.capabilities
    this.instructions = welcome.instructions
  }

  /** The legacy handshake. Throws `BACKEND_ERROR`, `BACKEND_PROTOCOL` and what `Channel.request` throws. */
  static async initialize(channel: Channel, context: LegContext, signal: Cancellation): Promise<ChannelLeg> {
    const params = {
      protocolVersion: LATEST_LEGACY,
      capabilities: context.profile.legacy,
      clientInfo: context.identity,
    }
    const answer = await channel.request({ method: 'initialize', params: () => params, signal })
    const welcome = readInitialized(resultOf(answer))
    await channel.deliver('notifications/initialized', {})
    return new ChannelLeg(channel, context, 'legacy', welcome)
  }

  /** `server/discover`. Throws as `initialize` does. */
  static async discover(channel: Channel, context: LegContext, signal: Cancellation): Promise<ChannelLeg> {
    const params = modernParams({}, {}, ownHop(context.identity))
    const answer = await channel.request({ method: 'server/discover', params: () => params, signal })
    const welcome = readDiscovered(resultOf(answer))
    if (!welcome)
      throw new GatewayError('BACKEND_PROTOCOL', 'server/discover names no revision that the gateway speaks')
    return new ChannelLeg(channel, context, 'modern', welcome)
  }

  get closed(): boolean {
    return this.#channel.ended
  }

  get hears(): boolean {
    return !this.closed && (this.era === 'legacy' || this.#watches.stands)
  }

  async request(request: UpstreamRequest): Promise<Reply> {
    const { era } = this
    const raised = era === 'legacy' ? this.#logLevel.raise(request, this) : undefined
    if (raised) await raised
    const { identity } = this.#context
    const message = await this.#channel.request({
      method: request.method,
      params: (id) => {
        const { params, patch } = request
        if (era === 'modern') return modernParams(params, patch, hopOf(request, identity, id))
        return legacyParams(params, patch, request.progress ? id : undefined)
      },
      signal: request.signal,
      scope: request,
      repeatable: true,
    })
    return { kind: 'result', value: resultOf(message), era }
  }

  notify(method: string, params: JsonObject): void {
    if (this.era === 'legacy') this.#channel.tell(method, params)
  }

  setLogLevel(level: string): void {
    if (this.era === 'legacy') this.#logLevel.tell(level, this, new Cancellation()).catch(() => {})
  }

  listen(resources: readonly string[]): Promise<void> | void {
    // A legacy server tells by itself.
    if (this.era === 'legacy' || this.closed) return
    const notifications = listenFilter(this.capabilities, resources)
    const filter = JSON.stringify(notifications)
    if (filter === this.#filter) return
    this.#filter = filter
    if (!notifications) return this.#watches.close()
    return this.#watches.replace((told) => new ChannelWatch(this.#channel, this.#context, notifications, told))
  }

  async close(): Promise<void> {
    this.#watches.close()
    await this.#channel.close()
  }
}
