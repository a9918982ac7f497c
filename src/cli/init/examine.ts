import { loadConfig } from '../../config/load.ts'
import { joinPath } from '../../config/positions.ts'
import type { Transport } from '../../model/backend.ts'
import type { JsonObject } from '../../model/json.ts'

/** What the gateway would make of one entry. Holds names only: the messages of faults may quote values. */
export interface Examination {
  /** Absent: the gateway would refuse a file with this entry in it. */
  transport?: Transport
  /** Keys whose values are not understood. */
  misunderstood: string[]
  /** Keys that have no effect in the gateway. */
  ignored: string[]
  /** Understood, and yet it cannot run as it stands: a variable that is not set, a question that only an editor asks. */
  cannotStart: boolean
}

/** Reads one entry as `vmcp serve` would if it stood alone in a file in `folder`. */
export async function examine(
  name: string,
  definition: JsonObject,
  { env, folder }: { env: Readonly<Record<string, string | undefined>>; folder: string },
): Promise<Examination> {
  const stdin = JSON.stringify({ mcpServers: { [name]: definition } })
  const { config, faults } = await loadConfig(['-'], { stdin, env, cwd: folder })
  const above = `${joinPath('mcpServers', name)}.`
  const keysOf = (wanted: (typeof faults)[number]['severity']) => [
    ...new Set(
      faults
        .filter(({ severity, scope, path }) => severity === wanted && scope === 'file' && path.startsWith(above))
        .map(({ path }) => path.slice(above.length)),
    ),
  ]
  const [backend] = config?.backends ?? []
  return {
    ...(backend && { transport: backend.endpoint.kind }),
    misunderstood: keysOf('error'),
    ignored: keysOf('warning'),
    cannotStart: faults.some(({ severity, scope }) => severity === 'error' && scope === 'backend'),
  }
}
