import type { GatewayConfig } from '../../config/gateway-config.ts'
import { HttpDoor } from '../../gateway/face/http/door.ts'
import { Gateway } from '../../gateway/gateway.ts'
import type { BackendSpec } from '../../model/backend.ts'
import { signInOf } from '../../model/credential.ts'
import { isLoopbackName } from '../../model/loopback.ts'
import { Telemetry } from '../../telemetry/events.ts'
import { logger, toldAt } from '../../telemetry/log.ts'
import { CliError, EXIT } from '../exit.ts'
import { nextSignal } from '../signals.ts'
import { stateFolder } from '../state-folder.ts'
import { banner } from './banner.ts'
import type { ServeOptions } from './runtime.ts'
import { shutDown } from './runtime.ts'
import { reloading } from './reloading.ts'

export interface HttpOptions extends ServeOptions {
  host: string
  port: number
}

/** Serves over HTTP until a signal comes. Resolves with the exit code. */
export async function serveHttp(options: HttpOptions): Promise<number> {
  const { host } = options
  const exposed = isExposed(options.config, host)
  const config = fitted(options.config, host)
  const signal = nextSignal()
  const telemetry = new Telemetry()
  tell(telemetry, options)
  const place = { stateFolder: stateFolder() }
  let gateway: Gateway | undefined
  let door: HttpDoor
  try {
    gateway = new Gateway(config, options.identity, telemetry, {
      policies: options.policies,
      lock: options.frozen?.lock,
      ...place,
    })
    door = await HttpDoor.listen(gateway, { host, port: options.port, ...place })
  } catch (error) {
    await gateway?.close(0)
    throw listenFault(error as Error, host, options.port)
  }
  const name = host.includes(':') ? `[${host}]` : host
  telemetry.emit('gateway.listening', {
    url: `${config.tls ? 'https' : 'http'}://${name}:${door.port}/mcp`,
    transport: 'http',
    name: config.name,
  })
  if (exposed) telemetry.emit('gateway.exposed', { host })
  if (!gateway.sealsForGood) telemetry.emit('gateway.unsealed', { key: 'sealing' })
  const stopReloading = reloading({ ...options, gateway, telemetry, fitted: (next) => fitted(next, host) })
  const reason = await signal
  stopReloading()
  door.stop()
  const exitCode = await shutDown(gateway, telemetry, reason)
  door.destroy()
  return exitCode
}

/** Where everybody comes in nobody signs in: their tokens would be everybody's. */
function fitted(config: GatewayConfig, host: string): GatewayConfig {
  if (!isExposed(config, host)) return config
  const isSignedIn = ({ credential }: BackendSpec): boolean =>
    credential !== undefined && signInOf(credential) !== undefined
  const asked = config.backends.find(
    (spec) => isSignedIn(spec) && !(spec.credential?.kind === 'authorization_code' && spec.credential.ifAsked),
  )
  if (asked) {
    throw new CliError(
      EXIT.config,
      `refusing to listen on ${host}: everybody who reaches this address would act as the user who signed in to ${asked.id}`,
      'use incomingAuth of type oidc, or listen on 127.0.0.1',
    )
  }
  const backends = config.backends.map((spec) => {
    const { credential: _, ...open } = spec
    return isSignedIn(spec) ? open : spec
  })
  return { ...config, backends }
}

/** Whether anonymous callers from other machines come in. They do only when the file says so in words. */
function isExposed({ incomingAuth }: GatewayConfig, host: string): boolean {
  if (isLoopbackName(host)) return false
  if (incomingAuth.type === 'local') {
    const hint = 'use incomingAuth of type oidc, or listen on 127.0.0.1'
    throw new CliError(EXIT.config, `refusing to listen on ${host} with a token that is meant for this machine`, hint)
  }
  if (incomingAuth.type !== 'anonymous') return false
  if (!incomingAuth.explicit) {
    throw new CliError(
      EXIT.config,
      `refusing to listen on ${host} without authentication: everybody who reaches this address could use every tool`,
      'write "incomingAuth: { type: anonymous }" into the configuration if that is what you want',
    )
  }
  return true
}

/** People read the banner on standard output and warnings on standard error; collectors read one stream of events. */
function tell(telemetry: Telemetry, { format, level, config }: HttpOptions): void {
  const told = toldAt(level)
  if (format === 'json') {
    telemetry.subscribe(
      logger('json', (line) => process.stdout.write(line)),
      told,
    )
    return
  }
  const { show, shows } = banner(config)
  telemetry.subscribe(show, shows)
  telemetry.subscribe(
    logger('text', (line) => process.stderr.write(line)),
    (name) => told(name) && !shows(name),
  )
}

function listenFault(error: NodeJS.ErrnoException, host: string, port: number): CliError {
  const { code } = error
  if (code === 'EADDRINUSE') {
    return new CliError(
      EXIT.failed,
      `port ${port} on ${host} is taken`,
      'choose another one with --port, or --port 0 for a free one',
    )
  }
  if (code === 'EACCES') return new CliError(EXIT.failed, `port ${port} needs more rights`, 'choose one above 1023')
  // No error of the system: settings that cannot be used.
  if (code === undefined) return new CliError(EXIT.config, error.message)
  return new CliError(EXIT.failed, `cannot listen on ${host}:${port}: ${code}`)
}
