import { readFileSync, statSync } from 'node:fs'
import type { RequestListener, Server } from 'node:http'
import { createServer } from 'node:http'
import type { Server as SecureServer } from 'node:https'
import { createServer as createSecureServer } from 'node:https'
import { createSecureContext } from 'node:tls'
import type { GatewayConfig } from '../../../config/gateway-config.ts'
import type { Telemetry } from '../../../telemetry/events.ts'

/** Slow senders are cut within 75 s (contract 3): headers, whole request, and how often the two are looked at. */
const TIMES = {
  headersTimeout: 20_000,
  requestTimeout: 60_000,
  connectionsCheckingInterval: 5000,
  keepAliveTimeout: 65_000,
  noDelay: true,
}
/** Between two looks at certificate and key. */
const LOOK_MS = 2000

export type TlsFiles = NonNullable<GatewayConfig['tls']>

/** A server that does not listen yet; with `tls` over TLS. Throws for files that cannot be read or do not fit. */
export function makeServer(tls: TlsFiles | undefined, telemetry: Telemetry, listener: RequestListener): Server {
  const server = tls ? secureServer(tls, telemetry, listener) : createServer(TIMES, listener)
  // Node would drop headers beyond its limit without a word; ours are counted and refused.
  server.maxHeadersCount = 0
  return server
}

/** A renewed certificate counts from the next connection on, without a restart. */
function secureServer(tls: TlsFiles, telemetry: Telemetry, listener: RequestListener): SecureServer {
  const server = createSecureServer({ ...TIMES, ...readPair(tls), minVersion: 'TLSv1.2' }, listener)
  let stands = stampOf(tls)
  const timer = setInterval(() => {
    const stamp = stampOf(tls)
    if (stamp === stands) return
    stands = stamp
    try {
      server.setSecureContext({ ...readPair(tls), minVersion: 'TLSv1.2' })
      telemetry.emit('tls.renewed', { certFile: tls.certFile })
    } catch (error) {
      // Half written, or key and certificate of different pairs: the old ones go on.
      telemetry.emit('config.rejected', { faults: [(error as Error).message] })
    }
  }, LOOK_MS).unref()
  server.once('close', () => clearInterval(timer))
  return server
}

/** Throws an `Error` that names the files. */
function readPair({ certFile, keyFile }: TlsFiles): { cert: Buffer; key: Buffer } {
  try {
    const pair = { cert: readFileSync(certFile), key: readFileSync(keyFile) }
    createSecureContext(pair)
    return pair
  } catch (error) {
    throw new Error(`tls: ${certFile} and ${keyFile} cannot be used: ${(error as Error).message}`, { cause: error })
  }
}

function stampOf(tls: TlsFiles): string {
  return [tls.certFile, tls.keyFile]
    .map((file) => statSync(file, { throwIfNoEntry: false }))
    .map((stats) => (stats ? `${stats.ino} ${stats.mtimeMs} ${stats.size}` : ''))
    .join(' ')
}
