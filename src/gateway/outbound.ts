import { join } from 'node:path'
import type { Credentials, OutboundSettings } from '../auth/outbound/credentials.ts'
import { createCredentials } from '../auth/outbound/credentials.ts'
import type { CredentialSource } from '../backends/backend.ts'
import type { GatewayConfig } from '../config/gateway-config.ts'
import { GatewayError } from '../model/errors.ts'
import { fingerprint } from '../model/fingerprint.ts'
import type { Telemetry } from '../telemetry/events.ts'

type Room = Credentials & CredentialSource

/** What backends are shown of their callers, and where users sign in. It outlives configurations that leave it alone. */
export class Outbound {
  /** Where the pages are reached at which users sign in: scheme, host and port. Absent: nobody serves them. */
  address: string | undefined
  readonly #telemetry: Telemetry
  readonly #stateFolder: string | undefined
  #room: Room | undefined

  /** `stateFolder`: where tokens of users are kept, unless the configuration says otherwise; absent: nowhere. */
  constructor(telemetry: Telemetry, stateFolder: string | undefined) {
    this.#telemetry = telemetry
    this.#stateFolder = stateFolder
  }

  /** Of the configuration that was followed last. */
  get room(): Credentials | undefined {
    return this.#room
  }

  /**
   * What the backends of this configuration are shown. Where nobody else could be meant than before, it is what it was;
   * otherwise sign-ins that were begun are over. Throws an `Error` for settings that cannot be used.
   */
  follow(config: GatewayConfig): Room {
    const settings = settingsOf(config, this.#stateFolder)
    const keys = settings.sealingKeys.map(({ id, key }) => [id, key.toString('base64')])
    const key = fingerprint({ ...settings, sealingKeys: keys })
    if (this.#room?.key === key) return this.#room
    const made = createCredentials(settings, {
      baseUrl: () => this.#pagesAt(settings.publicUrl),
      environment: process.env,
      tell: (note) => this.#telemetry.emit('sign-in', note),
    })
    this.#room?.close()
    this.#room = { ...made, key }
    return this.#room
  }

  close(): void {
    this.#room?.close()
  }

  #pagesAt(publicUrl: string | undefined): string {
    const at = publicUrl === undefined ? this.address : new URL('.', publicUrl).href
    if (at !== undefined) return at
    throw new GatewayError('CONSENT_NEEDED', 'nobody has signed in, and here is no page for it (vmcp auth login)')
  }
}

function settingsOf(config: GatewayConfig, stateFolder: string | undefined): OutboundSettings {
  const { incomingAuth, publicUrl, sealingKeys, outgoingAuth } = config
  // Policies say nothing about who a caller is.
  const { authz: _, ...identity } = incomingAuth
  const { provider, path } = outgoingAuth.store ?? {}
  const store: OutboundSettings['store'] =
    stateFolder === undefined || provider === 'memory'
      ? { provider: 'memory' }
      : { provider: 'file', path: path ?? join(stateFolder, 'credentials'), keyFile: join(stateFolder, 'sealing-key') }
  return { incomingAuth: identity, sealingKeys, store, ...(publicUrl === undefined ? {} : { publicUrl }) }
}
