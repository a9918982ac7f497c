import type { FSWatcher } from 'node:fs'
import { watch } from 'node:fs'
import { basename, dirname } from 'node:path'
import { formatFault } from '../../config/format.ts'
import type { GatewayConfig } from '../../config/gateway-config.ts'
import type { Gateway } from '../../gateway/gateway.ts'
import type { Telemetry } from '../../telemetry/events.ts'
import type { Source } from '../configuration.ts'
import { load } from '../configuration.ts'
import { CliError } from '../exit.ts'
import { tellUnserved } from '../later.ts'
import { readFrozen } from '../lock-file.ts'

/** Editors write in several steps. */
const QUIET_MS = 150

/**
 * Reloads when one of the files changes. `check` throws for a configuration that must not replace the running one.
 * Whatever goes wrong, the running one stays. `lockFile`: the lock that it is held to. Call the result to stop.
 */
export function watchFiles(
  files: readonly string[],
  source: Source,
  gateway: Gateway,
  telemetry: Telemetry,
  check: (config: GatewayConfig) => void = () => {},
  lockFile?: string,
): () => void {
  let watchers: FSWatcher[] = []
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()

  const follow = (read: readonly string[]): void => {
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
      check(config)
      const lock = lockFile === undefined ? undefined : readFrozen(lockFile)
      gateway.reload(config, policies, lock)
    } catch (error) {
      telemetry.emit('config.rejected', { faults: [sentence(error)] })
    }
  }

  follow(files)
  return () => {
    clearTimeout(timer)
    for (const watcher of watchers) watcher.close()
  }
}

function sentence(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error instanceof CliError && error.hint !== undefined ? `${error.message} (${error.hint})` : error.message
}
