import type { Fault } from '../config/faults.ts'
import type { GatewayConfig } from '../config/gateway-config.ts'
import { GATEWAY_CALLER } from '../model/call.ts'
import { withGateway } from './session.ts'

/** What only the live backends can tell: who cannot be reached, and names that lead nowhere. */
export async function connectionFaults(config: GatewayConfig): Promise<Fault[]> {
  return withGateway(config, async (gateway) => {
    const { backends, keeper } = gateway.current
    const catalogue = await keeper.forList(GATEWAY_CALLER)
    const fault = (path: string, message: string, severity: Fault['severity']): Fault => ({
      file: '(backends)',
      line: 0,
      column: 0,
      path,
      message,
      severity,
      scope: 'backend',
    })
    return [
      ...backends.flatMap(({ spec, state }) =>
        state.kind === 'failing' ? [fault(`backends.${spec.id}`, state.fault.message, 'warning')] : [],
      ),
      ...catalogue.notes.map((note) => fault('aggregation', note, 'warning')),
      ...catalogue.conflicts.map(({ resolution, withheld }) =>
        fault('aggregation', resolution, withheld ? 'error' : 'warning'),
      ),
    ]
  })
}
