import { Secret } from '../model/secret.ts'

function refuse(): never {
  throw new TypeError('the configuration is frozen')
}

/** Freezes a value to its last leaf, maps included. Buffers cannot be frozen and secrets need not be. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  if (ArrayBuffer.isView(value) || value instanceof Secret) return value
  if (value instanceof Map) {
    for (const inner of value.values()) deepFreeze(inner)
    for (const method of ['set', 'delete', 'clear']) Object.defineProperty(value, method, { value: refuse })
  }
  for (const inner of Object.values(value)) deepFreeze(inner)
  return Object.freeze(value)
}
