import { type Issuer, issuerFaults } from '../model/issuer.ts'
import { Secret } from '../model/secret.ts'
import type { AuthzSettings, IncomingAuth } from '../model/settings.ts'
import { type AuthoredIssuer, authoredIssuers, publicUrlOf } from './authored-issuers.ts'
import type { Environment } from './backends.ts'
import { besideFile } from './beside-file.ts'
import { defined } from './defined.ts'
import { lookUpVariable, unset } from './expand.ts'
import { type Fault, fileError } from './faults.ts'
import { type LocatedMap, positionOf, type Step } from './positions.ts'
import type { AuthoredConfig } from './schema.ts'

interface Reading {
  root: LocatedMap
  publicUrl: string | undefined
  environment: Environment
  faults: Fault[]
}

/** Who may connect, references resolved. Without what is missing nobody could come in: it is a fault of the file. */
export function resolveIncoming(
  root: LocatedMap,
  config: AuthoredConfig,
  environment: Environment,
): { incomingAuth: IncomingAuth; faults: Fault[] } {
  const authored = config.incomingAuth
  if (!authored) {
    return { incomingAuth: { type: 'anonymous', explicit: false, publicDiscovery: false, issuers: [] }, faults: [] }
  }
  const { type, local, authz } = authored
  const placed = type === 'oidc' ? authoredIssuers(config) : []
  const reading: Reading = { root, publicUrl: publicUrlOf(config), environment, faults: [] }
  const issuers = placed.map(({ block, steps }) => readIssuer(block, steps, reading))
  for (const { index, at, message, hint } of issuerFaults(issuers)) {
    reading.faults.push(fileError(positionOf(root, [...(placed[index]?.steps ?? []), ...at]), message, hint))
  }
  const tokenFile = local?.tokenFile && besideFile(root, ['incomingAuth'], local.tokenFile, environment.cwd)
  return {
    incomingAuth: {
      type,
      explicit: true,
      publicDiscovery: [authored, ...placed.map(({ block }) => block)].some((block) => block.publicDiscovery === true),
      ...(local && { local: defined({ tokenFile }) }),
      issuers,
      ...(authz && { authz: authzSettings(authz) }),
    },
    faults: reading.faults,
  }
}

function readIssuer(block: AuthoredIssuer, steps: readonly Step[], reading: Reading): Issuer {
  const { root, publicUrl, environment } = reading
  const file = (path?: string) => path && besideFile(root, ['incomingAuth'], path, environment.cwd)
  return {
    name: block.issuer,
    audiences: block.audience ? [block.audience] : spellings(publicUrl),
    scopes: block.scopes ?? [],
    requiredScopes: block.requiredScopes ?? [],
    subjectPrefix: block.subjectPrefix ?? '',
    ...defined({
      jwksUrl: block.jwksUrl,
      introspectionUrl: block.introspectionUrl,
      clientId: block.clientId,
      clientSecret: secretOf(block, steps, reading),
      caFile: file(block.caBundlePath),
      bearerFile: file(block.jwksAuthTokenPath),
    }),
    allowHttp: block.insecureAllowHttp ?? false,
    allowPrivate: block.jwksAllowPrivateIp ?? false,
  }
}

/** An origin and the same with an empty path are one resource (RFC 3986 section 6.2.3); clients send either. */
function spellings(publicUrl: string | undefined): readonly string[] {
  if (publicUrl === undefined) return []
  const origin = URL.parse(publicUrl)?.origin
  return publicUrl === origin || publicUrl === `${origin}/` ? [`${origin}`, `${origin}/`] : [publicUrl]
}

function secretOf(block: AuthoredIssuer, steps: readonly Step[], reading: Reading): Secret | undefined {
  const { clientSecret, clientSecretEnv: name } = block
  if (clientSecret !== undefined) return new Secret(clientSecret)
  if (name === undefined) return undefined
  const value = lookUpVariable(reading.environment.env, name)
  if (value) return new Secret(value)
  const at = positionOf(reading.root, [...steps, 'clientSecretEnv'])
  reading.faults.push(fileError(at, unset(name).message, `set ${name}`))
  return undefined
}

function authzSettings(authz: NonNullable<NonNullable<AuthoredConfig['incomingAuth']>['authz']>): AuthzSettings {
  const { type, policies = [], trialPolicies, entitiesJson, groupClaimName, roleClaimName, groupEntityType } = authz
  const names = { groupClaimName, roleClaimName, groupEntityType }
  return { type, policies, ...defined({ trialPolicies, entitiesJson, ...names }) }
}
