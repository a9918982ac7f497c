import { loadConfig } from '../../src/config/load.ts'
import { HttpDoor } from '../../src/gateway/face/http/door.ts'
import type { GatewayConfig } from '../../src/config/gateway-config.ts'
import { Gateway } from '../../src/gateway/gateway.ts'
import { preparePolicies } from '../../src/gateway/policy/prepare.ts'
import type { JsonObject } from '../../src/model/json.ts'
import type { EventName, Events } from '../../src/telemetry/events.ts'
import { Telemetry } from '../../src/telemetry/events.ts'

export interface TestGateway {
  /** Ends in `/mcp`. */
  url: string
  gateway: Gateway
  /** Everything that was told, oldest first. */
  events: { name: EventName; data: Events[EventName] }[]
  reload(config: JsonObject): Promise<void>
  close(): Promise<void>
}

export interface Place {
  /** Where it keeps what must outlive it. Absent: nowhere. */
  stateFolder?: string
  /** Absent: a free one. */
  port?: number
}

/** A gateway in this process, behind its HTTP door on a free port, from a configuration as a user would write it. */
export async function startGateway(config: JsonObject, { stateFolder, port = 0 }: Place = {}): Promise<TestGateway> {
  const telemetry = new Telemetry()
  const events: TestGateway['events'] = []
  telemetry.subscribe((name, data) => events.push({ name, data }))
  const first = await checked(config)
  const gateway = new Gateway(first, { name: 'vmcp', version: '0.0.0-test' }, telemetry, {
    policies: await policiesOf(first),
    stateFolder,
  })
  const door = await HttpDoor.listen(gateway, { host: '127.0.0.1', port })
  return {
    url: `http://127.0.0.1:${door.port}/mcp`,
    gateway,
    events,
    reload: async (next) => {
      const config = await checked(next)
      gateway.reload(config, await policiesOf(config))
    },
    close: async () => {
      door.stop()
      await gateway.close(0)
      door.destroy()
    },
  }
}

async function checked(config: JsonObject) {
  const result = await loadConfig(['-'], { stdin: JSON.stringify(config) })
  if (!result.config) throw new Error(`the test's configuration is invalid: ${JSON.stringify(result.faults, null, 2)}`)
  return result.config
}

async function policiesOf(config: GatewayConfig) {
  const { set, faults } = await preparePolicies(config)
  const wrong = faults.filter(({ severity }) => severity === 'error')
  if (wrong.length > 0) throw new Error(`the test's policies are wrong: ${JSON.stringify(wrong, null, 2)}`)
  return set
}
