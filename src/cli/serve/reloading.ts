import type { FSWatcher } from 'node:fs'
import { watch } from 'node:fs'
import { basename, dirname } from 'node:path'
import { formatFault } from '../../config/format.ts'
import type { GatewayConfig } from '../../config/gateway-config.ts'
import type { Gateway } from '../../gateway/gateway.ts'
import type { Telemetry } from '../../telemetry/events.ts'
import { load } from '../configuration.ts'
import { CliError } from '../exit.ts'
import { tellUnserved } from '../later.ts'
import { readFrozen } from '../lock-file.ts'
import type { ServeOptions } from './runtime.ts'

/** Editors write in several steps. */
const QUIET_MS = 150

export interface Reloading extends Pick<ServeOptions, 'source' | 'files' | 'watch' | 'frozen'> {
  gateway: Gateway
  telemetry: Telemetry
  /** What becomes of a configuration here; throws for one that must not replace the running one. */
  fitted?: (config: GatewayConfig) => GatewayConfig
}

/**
 * Reloads on SIGHUP, and when a file has changed that was read, if that is wished for; secrets and the lock are read
 * anew, too. Whatever goes wrong, the running configuration stays. Call the result to stop.
 */
export function reloading(options: Reloading): () => void {
  const { source, gateway, telemetry, fitted = (config: GatewayConfig) => config } = options
  const lockFile = options.frozen?.file
  let watchers: FSWatcher[] = []
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()

  const follow = (read: readonly string[]): void => {
    if (!options.watch) return
    const paths = lockFile === undefined ? read : [...read, lockFile]
    for (const watcher of watchers) watcher.close()
    // Folders, not files: editors replace a file, and a watch on the old one would hear nothing more.
    const names = new Set(paths.map((path) => basename(path)))
    watchers = [...new Set(paths.flatMap((path) => [dirname(path), path]))].flatMap((path) => {
      try {
        return [
          watch(path, (_event, name) =>
            name === null || names.has(name) || paths.includes(path) ? soon() : undefined,
          ),
        ]
      } catch {
        return []
      }
    })
  }
  const soon = (): void => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      running = running.then(reload)
    }, QUIET_MS)
  }
  const reload = async (): Promise<void> => {
    try {
      const { config, faults, files: read, policies } = await load(source)
      follow(read)
      if (!config) {
        telemetry.emit('config.rejected', { faults: faults.filter((f) => f.severity === 'error').map(formatFault) })
        return
      }
      tellUnserved(config)
      const lock = lockFile === undefined ? undefined : readFrozen(lockFile)
      gateway.reload(fitted(config), policies, lock)
    } catch (error) {
      telemetry.emit('config.rejected', { faults: [sentence(error)] })
    }
  }

  follow(options.files)
  process.on('SIGHUP', soon)
  return () => {
    // By default it would end us while we are ending others.
    process.on('SIGHUP', () => {})
    process.off('SIGHUP', soon)
    clearTimeout(timer)
    for (const watcher of watchers) watcher.close()
  }
}

function sentence(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error instanceof CliError && error.hint !== undefined ? `${error.message} (${error.hint})` : error.message
}
