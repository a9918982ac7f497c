import type { GatewayConfig } from '../../config/gateway-config.ts'
import { Secret } from '../../model/secret.ts'

/** The parts of a checked configuration that say who may connect. */
export type AuthenticatorSettings = Pick<GatewayConfig, 'name' | 'publicUrl' | 'incomingAuth'>

type Incoming = AuthenticatorSettings['incomingAuth']
type Block<T> = T extends readonly (infer Item)[] ? Item : T

/** One issuer as configured. `jwksAuthTokenPath`: file with the bearer token that opens its documents. */
export type IssuerBlock = Block<NonNullable<Incoming['oidc']>> & { readonly jwksAuthTokenPath?: string | undefined }

/** One issuer whose tokens are accepted. */
export interface Issuer {
  /** Compared letter by letter. */
  readonly name: string
  /** A token must name one of them: spellings of this endpoint. */
  readonly audiences: readonly string[]
  readonly requiredScopes: readonly string[]
  readonly subjectPrefix: string
  readonly jwksUrl: string | undefined
  readonly introspectionUrl: string | undefined
  readonly clientId: string | undefined
  readonly clientSecret: Secret | undefined
  readonly allowHttp: boolean
  readonly allowPrivate: boolean
  /** PEM file of additional authorities. */
  readonly caFile: string | undefined
  /** File with the bearer token that its documents need. */
  readonly bearerFile: string | undefined
}

type Environment = Readonly<Record<string, string | undefined>>

/** Throws an `Error` that names what is missing or contradictory. */
export function readIssuers({ incomingAuth, publicUrl }: AuthenticatorSettings, environment: Environment): Issuer[] {
  const issuers = blocks(incomingAuth).map((block) => readIssuer(block, publicUrl, environment))
  if (issuers.length === 0) throw new Error('the type "oidc" needs incomingAuth.oidc')
  if (publicUrl !== undefined && (!URL.canParse(publicUrl) || publicUrl.includes('#'))) {
    throw new Error('publicUrl is no address of a resource: an absolute URL without a fragment is expected')
  }
  if (new Set(issuers.map(({ name }) => name)).size < issuers.length) throw new Error('an issuer is named twice')
  if (new Set(issuers.map(({ subjectPrefix }) => subjectPrefix)).size < issuers.length) {
    throw new Error('several issuers need a different subjectPrefix each, or their subjects would be confused')
  }
  if (issuers.filter(({ introspectionUrl }) => introspectionUrl !== undefined).length > 1) {
    throw new Error('only one issuer may have an introspectionUrl: tokens of one must not be shown to another')
  }
  return issuers
}

export function blocks({ oidc }: Incoming): readonly IssuerBlock[] {
  return oidc === undefined ? [] : ([oidc].flat() as readonly IssuerBlock[])
}

/** RFC 6749 section 3.3. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/u

function readIssuer(block: IssuerBlock, publicUrl: string | undefined, environment: Environment): Issuer {
  const audiences = block.audience ? [block.audience] : spellings(publicUrl)
  if (audiences.length === 0) throw new Error('an audience is needed, or tokens for others would be accepted')
  if (!URL.canParse(block.issuer)) throw new Error('an issuer is no URL')
  if (![...(block.requiredScopes ?? []), ...(block.scopes ?? [])].every((scope) => SCOPE.test(scope))) {
    throw new Error('a scope holds characters that a scope cannot have, such as a space')
  }
  return {
    name: block.issuer,
    audiences,
    requiredScopes: block.requiredScopes ?? [],
    subjectPrefix: block.subjectPrefix ?? '',
    jwksUrl: block.jwksUrl,
    introspectionUrl: block.introspectionUrl,
    clientId: block.clientId,
    clientSecret: block.clientSecret ?? secretOf(block.clientSecretEnv, environment),
    allowHttp: block.insecureAllowHttp ?? false,
    allowPrivate: block.jwksAllowPrivateIp ?? false,
    caFile: block.caBundlePath,
    bearerFile: block.jwksAuthTokenPath,
  }
}

/** An origin and the same with an empty path are one resource (RFC 3986 section 6.2.3); clients send either. */
function spellings(publicUrl: string | undefined): readonly string[] {
  if (publicUrl === undefined) return []
  const origin = URL.parse(publicUrl)?.origin
  return publicUrl === origin || publicUrl === `${origin}/` ? [`${origin}`, `${origin}/`] : [publicUrl]
}

function secretOf(variable: string | undefined, environment: Environment): Secret | undefined {
  if (variable === undefined) return undefined
  const value = environment[variable]
  if (value === undefined || value === '') throw new Error(`the variable ${variable} (clientSecretEnv) is not set`)
  return new Secret(value)
}
