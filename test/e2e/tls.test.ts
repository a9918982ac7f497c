import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'

import { afterEach, expect, test } from 'vitest'

import { startGateway } from '../support/gateway.ts'
import { selfSigned } from '../support/oidc/certificate.ts'
import { waitFor } from '../support/processes.ts'

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

function files() {
  const folder = mkdtempSync(join(tmpdir(), 'vmcp-tls-'))
  open.push(() => rmSync(folder, { recursive: true }))
  const tls = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') }
  const write = () => {
    const { cert, key } = selfSigned()
    writeFileSync(tls.certFile, cert)
    writeFileSync(tls.keyFile, key)
    return cert
  }
  return { tls, write }
}

/** The certificate that the server shows on a new connection, when it can be trusted with `ca`. */
function shown(url: string, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request(
      `${new URL(url.replace('http:', 'https:')).origin}/health`,
      { ca, agent: false },
      (response) => {
        const { fingerprint256 } = (response.socket as TLSSocket).getPeerCertificate()
        response.resume().on('end', () => resolve(fingerprint256))
      },
    )
    asked.on('error', reject).end()
  })
}

test('the endpoint speaks TLS, and a renewed certificate counts without a restart', async () => {
  const { tls, write } = files()
  const old = write()
  const gateway = await startGateway({ backends: [], tls })
  open.push(() => gateway.close())
  const first = await shown(gateway.url, old)
  await expect(fetch(gateway.url)).rejects.toThrow()
  writeFileSync(tls.keyFile, 'half written')
  await waitFor(() => gateway.events.some(({ name }) => name === 'config.rejected'), 5000)
  expect(await shown(gateway.url, old)).toBe(first)
  const renewed = write()
  await waitFor(() => gateway.events.some(({ name }) => name === 'tls.renewed'), 5000)
  expect(await shown(gateway.url, renewed)).not.toBe(first)
  await expect(shown(gateway.url, old)).rejects.toThrow()
})

test('files that cannot be used are named', async () => {
  const { tls, write } = files()
  await expect(startGateway({ backends: [], tls })).rejects.toThrow(tls.certFile)
  write()
  writeFileSync(tls.keyFile, selfSigned().key)
  await expect(startGateway({ backends: [], tls })).rejects.toThrow('cannot be used')
})
