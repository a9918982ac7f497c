import { StdioDoor } from '../../gateway/face/stdio.ts'
import { Gateway } from '../../gateway/gateway.ts'
import { GatewayError } from '../../model/errors.ts'
import { Telemetry } from '../../telemetry/events.ts'
import { logger, toldAt } from '../../telemetry/log.ts'
import { EXIT } from '../exit.ts'
import { nextSignal } from '../signals.ts'
import type { ServeOptions } from './runtime.ts'
import { shutDown } from './runtime.ts'
import { watchFiles } from './watch.ts'

/** Serves one client on standard input and output until the input ends or a signal comes. */
export async function serveStdio({ config, identity, ...options }: ServeOptions): Promise<number> {
  const signal = nextSignal()
  const telemetry = new Telemetry()
  telemetry.subscribe(
    logger(options.format, (line) => process.stderr.write(line)),
    toldAt(options.level),
  )
  const gateway = new Gateway(config, identity, telemetry, options.policies)
  telemetry.emit('gateway.listening', { url: 'stdio', transport: 'stdio', name: config.name })
  const door = new StdioDoor(gateway, process.stdin, process.stdout)
  const unwatch = options.watch ? watchFiles(options.files, options.source, gateway, telemetry) : undefined
  const ended = await Promise.race([signal, door.serve(config.door.maxRequestBytes)])
  unwatch?.()
  if (ended === undefined) {
    await gateway.close(0)
    return EXIT.ok
  }
  const exitCode = await shutDown(gateway, telemetry, ended)
  door.cancel(new GatewayError('SHUTTING_DOWN', 'the gateway is stopping'))
  process.stdin.destroy()
  return exitCode
}
