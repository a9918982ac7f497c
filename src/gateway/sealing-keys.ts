import { join } from 'node:path'
import { ensuredKey } from '../auth/key-file.ts'
import type { GatewayConfig } from '../config/gateway-config.ts'
import type { SealingKey } from '../model/settings.ts'

/**
 * What seals tokens and runs: the configured keys; where runs outlive the process and none is configured, one that outlives it
 * too, made at first use (contract 4). Empty: a random one of this process. Throws when that file cannot be read or written.
 */
export function sealingKeysOf(
  { sealingKeys, workflows, compositeTools }: GatewayConfig,
  stateFolder: string | undefined,
): readonly SealingKey[] {
  if (sealingKeys.length > 0 || stateFolder === undefined) return sealingKeys
  if (workflows.storage.provider === 'memory' || compositeTools.length === 0) return []
  return [{ id: 'file', key: ensuredKey(join(stateFolder, 'sealing-key')) }]
}
