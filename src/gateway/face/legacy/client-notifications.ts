import type { JsonObject } from '../../../model/json.ts'
import type { Gateway } from '../../gateway.ts'
import type { LegacyClient } from './legacy-client.ts'
import { cancelRunning } from './running.ts'

/** What a legacy client tells the gateway. Notifications that are not known are ignored (JSON-RPC 2.0, 4.1). */
export function takeNotification(gateway: Gateway, client: LegacyClient, method: string, params: JsonObject): void {
  switch (method) {
    case 'notifications/cancelled':
      return cancelRunning(client.running, params)
    case 'notifications/progress':
      return client.progress(params)
    case 'notifications/roots/list_changed':
    // Of a task that the client runs for a server.
    case 'notifications/tasks/status':
      return gateway.notify(client.owner, method, params)
    default:
  }
}
