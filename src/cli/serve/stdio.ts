import { listenForPages } from '../../gateway/face/http/pages.ts'
import { StdioDoor } from '../../gateway/face/stdio.ts'
import { Gateway } from '../../gateway/gateway.ts'
import { signInOf } from '../../model/credential.ts'
import { GatewayError } from '../../model/errors.ts'
import { Telemetry } from '../../telemetry/events.ts'
import { logger, toldAt } from '../../telemetry/log.ts'
import { EXIT } from '../exit.ts'
import { nextSignal } from '../signals.ts'
import { stateFolder } from '../state-folder.ts'
import type { ServeOptions } from './runtime.ts'
import { shutDown } from './runtime.ts'
import { reloading } from './reloading.ts'

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
  const ended = await Promise.race([signal, door.serve(config.door.maxRequestBytes)])
  stopReloading()
  if (ended === undefined) {
    await gateway.close(0)
    return EXIT.ok
  }
  const exitCode = await shutDown(gateway, telemetry, ended)
  door.cancel(new GatewayError('SHUTTING_DOWN', 'the gateway is stopping'))
  process.stdin.destroy()
  return exitCode
}
