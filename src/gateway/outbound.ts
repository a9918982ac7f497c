import { join } from 'node:path'
import type { Credentials, OutboundNote, OutboundSettings } from '../auth/outbound/credentials.ts'
import { createCredentials } from '../auth/outbound/credentials.ts'
import type { CredentialSource } from '../backends/backend.ts'
import type { GatewayConfig } from '../config/gateway-config.ts'
import { GatewayError } from '../model/errors.ts'
import { fingerprint } from '../model/fingerprint.ts'
import type { Telemetry } from '../telemetry/events.ts'

/** What the backends of one configuration are shown, and where their users sign in. */
export type SharedCredentials = Credentials & CredentialSource

interface Lease {
  credentials: SharedCredentials
  holders: number
}

/**
 * What backends are shown of their callers, shared by generations: it carries over as long as nobody else could be meant,
 * and ends with its last holder.
 */
export class Outbound {
  /** Where the pages are reached at which users sign in: scheme, host and port. Absent: nobody serves them. */
  address: string | undefined
  readonly #telemetry: Telemetry
  readonly #stateFolder: string | undefined
  readonly #leases = new Map<string, Lease>()

  readonly #ownPages: boolean

  /**
   * `stateFolder`: where tokens of users are kept, unless the configuration says otherwise; absent: nowhere. `ownPages`:
   * users sign in at `address`, wherever the gateway itself is reached.
   */
  constructor(telemetry: Telemetry, stateFolder: string | undefined, ownPages = false) {
    this.#telemetry = telemetry
    this.#ownPages = ownPages
    this.#stateFolder = stateFolder
  }

  /** Until `release`. Throws an `Error` for settings that cannot be used. */
  acquire(config: GatewayConfig): SharedCredentials {
    const settings = settingsOf(config, this.#stateFolder)
    const keys = settings.sealingKeys.map(({ id, key }) => [id, key.toString('base64')])
    const key = fingerprint({ ...settings, sealingKeys: keys })
    const known = this.#leases.get(key)
    if (known) {
      known.holders++
      return known.credentials
    }
    const made = createCredentials(settings, {
      baseUrl: () => this.#pagesAt(settings.publicUrl),
      tell: (note) => this.#tell(note),
    })
    const credentials = { ...made, key }
    this.#leases.set(key, { credentials, holders: 1 })
    return credentials
  }

  release({ key }: SharedCredentials): void {
    const lease = this.#leases.get(key)
    if (!lease || --lease.holders > 0) return
    this.#leases.delete(key)
    lease.credentials.close()
  }

  #tell(note: OutboundNote): void {
    if (note.kind === 'store-failed') this.#telemetry.emit('token-store.failing', note)
    else this.#telemetry.emit('sign-in', note)
  }

  #pagesAt(publicUrl: string | undefined): string {
    const at = publicUrl === undefined || this.#ownPages ? this.address : new URL('.', publicUrl).href
    if (at !== undefined) return at
    throw new GatewayError('CONSENT_NEEDED', 'nobody has signed in, and here is no page for it (vmcp auth login)')
  }
}

function settingsOf(config: GatewayConfig, stateFolder: string | undefined): OutboundSettings {
  const { incomingAuth, publicUrl, sealingKeys, tokenStore } = config
  const { type, issuers } = incomingAuth
  const { provider, path } = tokenStore
  const store: OutboundSettings['store'] =
    stateFolder === undefined || provider === 'memory'
      ? { provider: 'memory' }
      : { provider: 'file', path: path ?? join(stateFolder, 'credentials'), keyFile: join(stateFolder, 'sealing-key') }
  return { incomingAuth: { type, issuers }, sealingKeys, store, ...(publicUrl === undefined ? {} : { publicUrl }) }
}
