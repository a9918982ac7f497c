import type { BackendSpec } from '../model/backend.ts'
import { fingerprint } from '../model/fingerprint.ts'
import type { BackendOptions } from './backend.ts'
import { Backend } from './backend.ts'

interface Lease {
  backend: Backend
  holders: number
}

/**
 * Live backends, shared by generations: a backend whose spec and settings are unchanged carries over with its
 * connections, sessions and processes; the last holder's release ends it.
 */
export class BackendLeases {
  readonly #leases = new Map<string, Lease>()
  readonly #closing = new Set<Promise<void>>()

  /** `fresh`: it was not running. The caller starts it. */
  acquire(spec: BackendSpec, options: BackendOptions): { backend: Backend; key: string; fresh: boolean } {
    const key = leaseKey(spec, options)
    const lease = this.#leases.get(key)
    if (lease) {
      lease.holders++
      return { backend: lease.backend, key, fresh: false }
    }
    const backend = new Backend(spec, options)
    this.#leases.set(key, { backend, holders: 1 })
    return { backend, key, fresh: true }
  }

  release(key: string): void {
    const lease = this.#leases.get(key)
    if (!lease || --lease.holders > 0) return
    this.#leases.delete(key)
    const closing = lease.backend.close().finally(() => this.#closing.delete(closing))
    this.#closing.add(closing)
  }

  /** Ends every backend, whoever holds it. */
  async closeAll(): Promise<void> {
    const closing = [...this.#leases.values()].map(({ backend }) => backend.close())
    this.#leases.clear()
    await Promise.all([...closing, ...this.#closing])
  }
}

/** A rotated credential is another backend. */
function leaseKey(spec: BackendSpec, options: BackendOptions): string {
  const { pool, failure, maxMessageBytes, credentials } = options
  return fingerprint([spec, pool, failure, maxMessageBytes, spec.credential && credentials.key])
}
