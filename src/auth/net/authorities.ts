import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls'
import { putYoungest } from '../bounded.ts'

const CONTEXTS = new Map<string, SecureContext>()
const MAX_CONTEXTS = 16

/**
 * A TLS context that trusts the authorities of a PEM bundle in addition to those of the system. Kept, because reading
 * the authorities of the system takes milliseconds. Throws when the bundle is no PEM.
 */
export function authoritiesWith(bundle: string): SecureContext {
  const known = CONTEXTS.get(bundle)
  if (known) return known
  const context = createSecureContext({ ca: [...getCACertificates('default'), bundle] })
  putYoungest(CONTEXTS, bundle, context, MAX_CONTEXTS)
  return context
}
