import type { Era, StdioEndpoint } from '../../model/backend.ts'
import type { Cancellation } from '../../model/cancellation.ts'
import { GatewayError } from '../../model/errors.ts'
import type { Channel } from '../channel/channel.ts'
import { ChannelLeg } from '../channel/channel-leg.ts'
import type { LegContext } from '../leg.ts'
import { openProcess } from './channel.ts'

/** Silence after `server/discover` that means a legacy server (contract: probing over stdio). */
const PROBE_SILENCE_MS = 2000

/**
 * One process, in the era that its first answered message pinned. `auto`: `server/discover` on the live process; an
 * error or 2 s of silence: `initialize` on the same process; an exit: started again as legacy.
 */
export async function openStdio(
  endpoint: StdioEndpoint,
  era: Era | 'auto',
  context: LegContext,
  signal: Cancellation,
): Promise<ChannelLeg> {
  let opened = false
  // An exit before that is told by the error of this function.
  const guarded: LegContext = { ...context, onLost: (error) => (opened ? context.onLost(error) : undefined) }
  const channel = await openProcess(endpoint, guarded)
  signal.onCancel(() => void channel.close())
  try {
    const leg = await greet(channel, era, context, signal)
    opened = true
    return leg
  } catch (error) {
    const exited = channel.ended
    await channel.close()
    if (era !== 'auto' || !exited || signal.cancelled) throw error
    return openStdio(endpoint, 'legacy', context, signal)
  }
}

function greet(channel: Channel, era: Era | 'auto', context: LegContext, signal: Cancellation): Promise<ChannelLeg> {
  switch (era) {
    case 'legacy':
      return ChannelLeg.initialize(channel, context, signal)
    case 'modern':
      return ChannelLeg.discover(channel, context, signal)
    case 'auto':
      return probe(channel, context, signal)
  }
}

async function probe(channel: Channel, context: LegContext, signal: Cancellation): Promise<ChannelLeg> {
  const discovered = ChannelLeg.discover(channel, context, signal)
  const silence = new Promise<undefined>((resolve) => setTimeout(resolve, PROBE_SILENCE_MS, undefined).unref())
  const first = await Promise.race([discovered.catch((error: unknown) => refusedModern(error)), silence])
  if (first) return first
  // A modern server that was only slow to start answers the probe now and refuses initialize.
  return Promise.any([ChannelLeg.initialize(channel, context, signal), discovered]).catch((error: unknown) => {
    throw error instanceof AggregateError ? error.errors[0] : error
  })
}

/** A JSON-RPC error in answer to the probe is a verdict; anything else is a failure of the process. */
function refusedModern(error: unknown): undefined {
  if (error instanceof GatewayError && (error.code === 'BACKEND_ERROR' || error.code === 'BACKEND_PROTOCOL'))
    return undefined
  throw error
}
