/**
 * The library door: a gateway without the command line.
 *
 * ```ts
 * const { config } = await loadConfig(['mcp.json'])
 * if (config) {
 *   const telemetry = new Telemetry()
 *   telemetry.subscribe(logger('text', (line) => process.stderr.write(line)), toldAt('warn'))
 *   const gateway = await createGateway(config, telemetry)
 *   const door = await listen(gateway, { host: '127.0.0.1', port: 4483 })
 * }
 * ```
 */
import { HttpDoor } from './gateway/face/http/door.ts'
import type { ListenOptions } from './gateway/face/http/door.ts'
import { Gateway } from './gateway/gateway.ts'
import { preparePolicies } from './gateway/policy/prepare.ts'
import { identity } from './gateway/identity.ts'
import type { GatewayConfig } from './config/gateway-config.ts'
import { Telemetry } from './telemetry/events.ts'

/**
 * A gateway that connects to its backends when a door opens, or with `gateway.start()`. Rejects for policies that are
 * wrong. End it with `gateway.close(graceMs)`.
 */
export async function createGateway(config: GatewayConfig, telemetry: Telemetry = new Telemetry()): Promise<Gateway> {
  const { set, faults } = await preparePolicies(config)
  const wrong = faults.find(({ severity }) => severity === 'error')
  if (wrong) throw new Error(`incomingAuth.authz: ${wrong.message}`)
  return new Gateway(config, identity, telemetry, { policies: set })
}

/** Opens the HTTP door. Rejects when the port is taken. End it with `door.stop()`, then `door.destroy()`. */
export function listen(gateway: Gateway, options: ListenOptions): Promise<HttpDoor> {
  return HttpDoor.listen(gateway, options)
}

export { loadConfig } from './config/load.ts'
export type { Fault } from './config/faults.ts'
export type { LoadOptions, LoadResult } from './config/load.ts'
export { configJsonSchema } from './config/emit/json-schema.ts'
export { StdioDoor } from './gateway/face/stdio.ts'
export { Telemetry } from './telemetry/events.ts'
export { logger, toldAt } from './telemetry/log.ts'
export { GatewayError } from './model/errors.ts'
export { Secret } from './model/secret.ts'
export type { EventName, Events, Listener } from './telemetry/events.ts'
export type { BackendSpec, BackendState, Endpoint } from './model/backend.ts'
export type { Call, Context, Core, Layer, Occasion, Outcome, Sight } from './model/call.ts'
export type { Catalogue, Conflict, Entry, Route } from './model/catalogue.ts'
export type { ErrorCode } from './model/errors.ts'
export type { Gateway, GatewayConfig, HttpDoor, ListenOptions }
