import { endAllProcesses } from '../../backends/stdio/process.ts'
import { listenForPages } from '../../gateway/face/http/pages.ts'
import { StdioDoor } from '../../gateway/face/stdio.ts'
import { Gateway } from '../../gateway/gateway.ts'
import { Cancellation } from '../../model/cancellation.ts'
import { signInOf } from '../../model/credential.ts'
import { GatewayError } from '../../model/errors.ts'
import { pause } from '../../model/pause.ts'
import { Telemetry } from '../../telemetry/events.ts'
import { logger, toldAt } from '../../telemetry/log.ts'
import { EXIT } from '../exit.ts'
import { SIGNAL_EXIT, nextSignal, type StopSignal } from '../signals.ts'
import { stateFolder } from '../state-folder.ts'
import type { ServeOptions } from './runtime.ts'
import { shutDown } from './runtime.ts'
import { reloading } from './reloading.ts'

/**
 * How long running calls may go on after the client has left: longer than a call waits for a backend that is starting,
 * so that a request that is piped in gets its answer.
 */
const LAST_CALLS_MS = 10_000
/**
 * Clients that have closed our input send SIGTERM some seconds later and SIGKILL soon after that (the official SDKs: 2 s
 * each), which would leave behind whatever does not end with its input.
 */
const HURRY_GRACE_MS = 500

/** Serves one client on standard input and output until the input ends or a signal comes. */
export async function serveStdio({ config, identity, ...options }: ServeOptions): Promise<number> {
  const signal = nextSignal()
  const telemetry = new Telemetry()
  telemetry.subscribe(
    logger(options.format, (line) => process.stderr.write(line)),
    toldAt(options.level),
  )
  const pages = config.backends.some(({ credential }) => credential && signInOf(credential))
    ? await listenForPages(() => gateway.current.credentials.pages)
    : undefined
  const gateway: Gateway = new Gateway(config, identity, telemetry, {
    policies: options.policies,
    lock: options.frozen?.lock,
    stateFolder: stateFolder(),
    pagesAt: pages?.address,
  })
  telemetry.emit('gateway.listening', { url: 'stdio', transport: 'stdio', name: config.name })
  const door = new StdioDoor(gateway, process.stdin, process.stdout)
  const stopReloading = reloading({ ...options, gateway, telemetry })
  const served = door.serve(config.door.maxRequestBytes)
  const first = await Promise.race([signal, door.left])
  stopReloading()

  const stopping = new GatewayError('SHUTTING_DOWN', 'the gateway is stopping')
  const stop = async (reason: StopSignal): Promise<number> => {
    const exitCode = await shutDown(gateway, telemetry, reason)
    door.cancel(stopping)
    return exitCode
  }
  const leave = async (): Promise<number> => {
    await Promise.race([served, pause(LAST_CALLS_MS, new Cancellation())])
    door.cancel(stopping)
    await gateway.close(0)
    return EXIT.ok
  }
  const hurry = async (): Promise<number> => {
    const [reason] = await Promise.all([signal, door.left])
    const closing = gateway.close(0)
    await endAllProcesses(HURRY_GRACE_MS)
    const finished = await Promise.race([closing, pause(HURRY_GRACE_MS, new Cancellation())])
    door.cancel(stopping)
    return finished ? EXIT.ok : SIGNAL_EXIT[reason]
  }
  const exitCode = await Promise.race([first === undefined ? leave() : stop(first), hurry()])
  process.stdin.destroy()
  return exitCode
}
