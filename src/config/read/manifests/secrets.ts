import { getMap, getString, type Located } from '../../positions.ts'
import { find, type Manifests } from './objects.ts'

const BASE64 = /^[A-Za-z0-9+/\s]*={0,2}\s*$/u

/** A key of a Secret manifest, decoded; or what is missing. Secrets are never written into faults. */
export function readSecret(
  manifests: Manifests,
  reference: Located | undefined,
  namespace: string | undefined,
): { value: string } | { missing: string } {
  const name = getString(reference, 'name') ?? ''
  const key = getString(reference, 'key') ?? ''
  const secret = find(manifests, 'Secret', name, namespace)
  if (!secret) return { missing: `Secret "${name}" is not among the files` }
  const text = getString(getMap(secret.root, 'stringData'), key)
  if (text !== undefined) return { value: text }
  const encoded = getString(getMap(secret.root, 'data'), key)
  if (encoded === undefined) return { missing: `Secret "${name}" has no key "${key}"` }
  if (!BASE64.test(encoded)) return { missing: `key "${key}" of Secret "${name}" is not base64` }
  return { value: Buffer.from(encoded, 'base64').toString('utf8') }
}

/** A key of a ConfigMap manifest, with the place where it stands; or what is missing. */
export function readConfigMap(
  manifests: Manifests,
  name: string,
  key: string,
  namespace: string | undefined,
): { value: string } | { missing: string } {
  const object = find(manifests, 'ConfigMap', name, namespace)
  if (!object) return { missing: `ConfigMap "${name}" is not among the files` }
  const value = getString(getMap(object.root, 'data'), key)
  return value === undefined ? { missing: `ConfigMap "${name}" has no key "${key}"` } : { value }
}
