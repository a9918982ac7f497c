import type { HttpEndpoint } from '../../model/backend.ts'
import type { Cancellation } from '../../model/cancellation.ts'
import type { Credential } from '../../model/credential.ts'
import { GatewayError } from '../../model/errors.ts'
import { ChannelLeg } from '../channel/channel-leg.ts'
import { HttpWire } from '../http/wire.ts'
import type { Connector, Leg, LegContext } from '../leg.ts'
import { openEventStream } from './channel.ts'

/** HTTP+SSE of 2024-11-05, which has the legacy era alone. */
export function sseConnector(endpoint: Pick<HttpEndpoint, 'url' | 'headers'>, credential?: Credential): Connector {
  const wire = new HttpWire(endpoint, credential)
  return {
    open: async (era, context, signal) => {
      if (era !== 'modern') return openSse(wire, context, signal)
      throw new GatewayError('BACKEND_PROTOCOL', 'HTTP+SSE is of the legacy era alone (keys: transport, era)')
    },
    close: () => wire.close(),
  }
}

/**
 * The stream, its endpoint, and the handshake over both. `patienceMs`: how long the endpoint may take. Throws as
 * `openEventStream` and `ChannelLeg.initialize` do.
 */
export async function openSse(
  wire: HttpWire,
  context: LegContext,
  signal: Cancellation,
  patienceMs?: number,
): Promise<Leg> {
  let opened = false
  // A loss before that is told by the error of this function.
  const guarded: LegContext = { ...context, onLost: (error) => (opened ? context.onLost(error) : undefined) }
  const channel = await openEventStream(wire, guarded, signal, patienceMs)
  signal.onCancel(() => void channel.close())
  try {
    const leg = await ChannelLeg.initialize(channel, context, signal)
    opened = true
    return leg
  } catch (error) {
    await channel.close()
    throw error
  }
}
