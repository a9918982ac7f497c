import { createHash } from 'node:crypto'
import type { SealingKey } from '../model/settings.ts'
import { lookUpVariable } from './expand.ts'
import { type Fault, fileError } from './faults.ts'
import { type LocatedMap, positionOf } from './positions.ts'
import type { AuthoredConfig } from './schema.ts'

const KEY_BYTES = 32

/**
 * The keys that seal tokens: 32 bytes as base64, base64url or hex, or any text of at least 32 characters, whose
 * SHA-256 is the key. Empty without the section.
 */
export function sealingKeys(
  root: LocatedMap,
  config: AuthoredConfig,
  env: NodeJS.ProcessEnv,
): { keys: SealingKey[]; faults: Fault[] } {
  const keys: SealingKey[] = []
  const faults: Fault[] = []
  for (const [index, { id, value, valueEnv }] of (config.sealing?.keys ?? []).entries()) {
    const at = positionOf(root, ['sealing', 'keys', index, valueEnv === undefined ? 'value' : 'valueEnv'])
    const text = value ?? lookUpVariable(env, valueEnv ?? '')
    if (text === undefined) {
      faults.push(
        fileError(
          at,
          `the variable ${valueEnv} is not set`,
          `set ${valueEnv}, for example to: openssl rand -base64 32`,
        ),
      )
      continue
    }
    const key = decodeKey(text.trim())
    if (key) keys.push({ id, key })
    else
      faults.push(
        fileError(at, `the sealing key "${id}" is too short`, 'it needs 32 bytes as base64 or hex, or 32 characters'),
      )
  }
  return { keys, faults }
}

function decodeKey(text: string): Buffer | undefined {
  if (/^[0-9a-f]{64}$/iu.test(text)) return Buffer.from(text, 'hex')
  if (/^[A-Za-z0-9+/_-]{43}=?$/u.test(text)) return Buffer.from(text, 'base64')
  return text.length >= KEY_BYTES ? createHash('sha256').update(text).digest() : undefined
}
