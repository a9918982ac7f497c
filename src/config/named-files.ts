import { X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { isTokenText } from '../model/token-text.ts'
import { authoredIssuers } from './authored-issuers.ts'
import type { Environment } from './backends.ts'
import { readReference } from './expand.ts'
import { type Fault, fileError, warning } from './faults.ts'
import type { GatewayConfig } from './gateway-config.ts'
import { type LocatedMap, positionOf, type Step } from './positions.ts'
import type { AuthoredConfig } from './schema.ts'

/** What Kubernetes gives every pod; outside of one there is nothing that could be mended. */
const POD_FILES = '/var/run/secrets/kubernetes.io/'
/** Fewer characters can be tried out. */
const MIN_TOKEN_LENGTH = 16
const CERTIFICATE = /-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gsu

/**
 * Faults of the files that a checked configuration names: without one of them the gateway would not start, or nobody
 * could come in. Their contents are not kept, because they are read again when they change.
 */
export function namedFiles(
  root: LocatedMap,
  authored: AuthoredConfig,
  config: Pick<GatewayConfig, 'incomingAuth' | 'tls'>,
  environment: Environment,
): Fault[] {
  const look: Look = { root, environment, faults: [] }
  const { incomingAuth, tls } = config
  if (tls) certificate(look, tls)
  if (incomingAuth.local?.tokenFile !== undefined) localToken(look, incomingAuth.local.tokenFile)
  for (const [index, { steps }] of authoredIssuers(authored).entries()) {
    const { caFile, bearerFile } = incomingAuth.issuers[index] ?? {}
    issuerFiles(look, steps, { caBundlePath: caFile, jwksAuthTokenPath: bearerFile })
  }
  return look.faults
}

interface Look {
  root: LocatedMap
  environment: Environment
  faults: Fault[]
}

/** The text of a file that must be there. Only one that is not is watched: the others are looked at where they are used. */
function textOf({ root, environment, faults }: Look, steps: readonly Step[], file: string): string | undefined {
  const text = readReference(file, { env: {}, folder: '', onRead() {} })
  if (typeof text === 'string') return text
  environment.onRead(file)
  faults.push(fileError(positionOf(root, steps), text.message, text.hint))
  return undefined
}

/** The contents will not do; `onRead`: they may be mended. */
function refuse({ root, environment, faults }: Look, steps: readonly Step[], file: string, ...say: [string, string]) {
  environment.onRead(file)
  faults.push(fileError(positionOf(root, steps), ...say))
}

function certificate(look: Look, { certFile, keyFile }: NonNullable<GatewayConfig['tls']>): void {
  const cert = textOf(look, ['tls', 'certFile'], certFile)
  const key = textOf(look, ['tls', 'keyFile'], keyFile)
  if (cert === undefined || key === undefined) return
  try {
    createSecureContext({ cert, key })
  } catch (error) {
    const message = `${certFile} and ${keyFile} cannot be used: ${(error as Error).message}`
    refuse(look, ['tls'], certFile, message, 'expected PEM: a certificate chain and its key without a passphrase')
    look.environment.onRead(keyFile)
  }
}

/** A file that is not there is made when the gateway starts. */
function localToken(look: Look, file: string): void {
  if (!existsSync(file)) return
  const steps = ['incomingAuth', 'local', 'tokenFile']
  const token = textOf(look, steps, file)?.trim()
  if (token === undefined) return
  const hint = 'remove the file, and the gateway makes a token'
  if (!isTokenText(token)) {
    refuse(look, steps, file, `${file} holds no token: one line of letters, digits and -._~+/ is expected`, hint)
  } else if (token.length < MIN_TOKEN_LENGTH) {
    refuse(look, steps, file, `the token in ${file} is shorter than ${MIN_TOKEN_LENGTH} characters`, hint)
  }
}

type IssuerFiles = Readonly<Record<'caBundlePath' | 'jwksAuthTokenPath', string | undefined>>

function issuerFiles(look: Look, steps: readonly Step[], files: IssuerFiles): void {
  const outside = Object.values(files).some((file) => file?.startsWith(POD_FILES) && !existsSync(file))
  if (outside) {
    const message = 'tokens of service accounts can be checked only inside a cluster: out here nobody gets in'
    const hint = 'use an issuer of your own here, or type anonymous'
    look.faults.push(warning(positionOf(look.root, steps), message, hint))
    return
  }
  for (const [key, file] of Object.entries(files)) {
    if (file === undefined) continue
    const text = textOf(look, [...steps, key], file)
    if (text === undefined) continue
    const at = [...steps, key]
    if (key === 'caBundlePath' && !isBundle(text)) {
      refuse(look, at, file, `${file} holds no certificate that can be read`, 'expected PEM')
    } else if (key === 'jwksAuthTokenPath' && !isTokenText(text.trim())) {
      refuse(look, at, file, `${file} holds no token`, 'expected one line of letters, digits and -._~+/')
    }
  }
}

/** The TLS library ignores what it cannot read, without a word. */
const isBundle = (text: string): boolean => (text.match(CERTIFICATE) ?? []).some(isCertificate)

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== undefined
  } catch {
    return false
  }
}
