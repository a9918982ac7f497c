import { type Fault, fileError, warning } from '../../faults.ts'
import { suggest } from '../../../model/nearest.ts'
import { parseJson } from '../../parse/json.ts'
import {
  asMap,
  get,
  getMap,
  getString,
  list,
  type Located,
  located,
  type LocatedMap,
  map,
  plain,
  type Position,
  put,
  scalar,
} from '../../positions.ts'
import { dangling, find, type ManifestObject, type Manifests } from './objects.ts'
import { readConfigMap, readSecret } from './secrets.ts'

/** Keys of an inline OIDC block in manifests, as the schema spells them. */
const OIDC_KEYS: Readonly<Record<string, string>> = {
  issuer: 'issuer',
  audience: 'audience',
  clientId: 'clientId',
  clientSecret: 'clientSecret',
  jwksUrl: 'jwksUrl',
  introspectionUrl: 'introspectionUrl',
  scopes: 'scopes',
  thvCABundlePath: 'caBundlePath',
  jwksAuthTokenPath: 'jwksAuthTokenPath',
  insecureAllowHTTP: 'insecureAllowHttp',
  jwksAllowPrivateIP: 'jwksAllowPrivateIp',
  protectedResourceAllowPrivateIP: 'protectedResourceAllowPrivateIp',
}
const TRUTH_KEYS = new Set(['insecureAllowHTTP', 'jwksAllowPrivateIP', 'protectedResourceAllowPrivateIP'])

const CLUSTER_ISSUER = 'https://kubernetes.default.svc'
const CLUSTER_AUDIENCE = 'toolhive'
/** What Kubernetes gives every pod. */
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

/** `spec.incomingAuth` of a VirtualMCPServer in the shape of the schema. What refers to nothing is an error: it must not open a door. */
export function readIncomingAuth(manifests: Manifests, server: ManifestObject): LocatedMap | undefined {
  const node = getMap(server.spec, 'incomingAuth')
  if (!node) return undefined
  const result = map(node.at)
  const type = get(node, 'type')
  const oidc = readOidc(manifests, server, node)
  if (type?.kind === 'scalar' && type.value === 'kubernetes') {
    manifests.faults.push(warning(type.at, 'the type "kubernetes" is read as "oidc" with tokens of service accounts'))
    put(result, 'type', scalar('oidc', type.at))
    put(result, 'oidc', oidc ?? clusterOidc(map(type.at)))
  } else {
    if (type) put(result, 'type', type)
    else if (oidc) put(result, 'type', scalar('oidc', node.at))
    if (oidc) put(result, 'oidc', oidc)
  }
  const authz = readAuthz(manifests, server, node)
  if (authz) put(result, 'authz', authz)
  const known = ['type', 'oidcConfig', 'oidcConfigRef', 'authzConfig', 'authzConfigRef']
  for (const [key, entry] of node.entries) {
    if (!known.includes(key))
      manifests.faults.push(fileError(entry.at, `unknown key "${key}"`, `there is ${known.join(', ')}`))
  }
  return result
}

function readOidc(manifests: Manifests, server: ManifestObject, node: LocatedMap): LocatedMap | undefined {
  const reference = getMap(node, 'oidcConfigRef')
  if (reference) return readOidcRef(manifests, server, reference)
  const config = getMap(node, 'oidcConfig')
  if (!config) return undefined
  const type = getString(config, 'type') ?? 'kubernetes'
  const oidc =
    type === 'inline'
      ? inlineOidc(manifests, getMap(config, 'inline') ?? map(config.at), server.namespace)
      : type === 'configMap'
        ? configMapOidc(manifests, getMap(config, 'configMap') ?? map(config.at), server.namespace)
        : clusterOidc(getMap(config, 'kubernetes') ?? map(config.at))
  const resource = get(config, 'resourceUrl')
  if (resource) put(oidc, 'resource', resource)
  return oidc
}

function readOidcRef(manifests: Manifests, server: ManifestObject, reference: LocatedMap): LocatedMap | undefined {
  const name = getString(reference, 'name') ?? ''
  const config = find(manifests, 'MCPOIDCConfig', name, server.namespace)
  if (!config) {
    manifests.faults.push(dangling(manifests, 'MCPOIDCConfig', name, reference.at))
    return unknownOidc(reference.at)
  }
  const inline = getMap(config.spec, 'inline')
  const oidc = inline
    ? inlineOidc(manifests, inline, config.namespace)
    : clusterOidc(getMap(config.spec, 'kubernetesServiceAccount') ?? map(config.at))
  for (const [from, to] of [
    ['audience', 'audience'],
    ['scopes', 'scopes'],
    ['resourceUrl', 'resource'],
  ] as const) {
    const value = get(reference, from)
    if (value) put(oidc, to, value)
  }
  return oidc
}

function inlineOidc(manifests: Manifests, inline: LocatedMap, namespace: string | undefined): LocatedMap {
  const oidc = map(inline.at)
  for (const [from, to] of Object.entries(OIDC_KEYS)) {
    const entry = inline.entries.get(from)
    if (entry) put(oidc, to, entry.value, entry.at)
  }
  const reference = get(inline, 'clientSecretRef')
  if (reference) {
    const secret = readSecret(manifests, reference, namespace)
    if ('value' in secret) put(oidc, 'clientSecret', scalar(secret.value, reference.at))
    else {
      const hint = 'put the Secret manifest among the files'
      manifests.faults.push(fileError(reference.at, secret.missing, hint))
    }
  }
  return oidc
}

/** A ConfigMap holds text only. */
function asMeant(key: string, value: string, at: Position): Located {
  if (TRUTH_KEYS.has(key)) return scalar(value === 'true', at)
  if (key !== 'scopes') return scalar(value, at)
  const scopes = value.split(/[\s,]+/u).filter((scope) => scope !== '')
  return list(
    scopes.map((scope) => scalar(scope, at)),
    at,
  )
}

/**
 * Stands for an issuer whose fault has been told, so that nothing else is wrong for want of it. The fault refuses the
 * configuration; nobody has tokens of this one.
 */
function unknownOidc(at: Position): LocatedMap {
  const oidc = map(at)
  for (const [key, value] of Object.entries({
    issuer: 'https://unknown.invalid',
    audience: 'unknown',
    clientId: 'vmcp',
  })) {
    put(oidc, key, scalar(value, at))
  }
  return oidc
}

/** The key of the ConfigMap that ToolHive documents, and does not read. */
const DOCUMENTED_KEY = 'oidc.json'

/** Single keys of the ConfigMap's data, as ToolHive reads them; without an issuer among them the documented JSON. */
function configMapOidc(manifests: Manifests, reference: LocatedMap, namespace: string | undefined): LocatedMap {
  const name = getString(reference, 'name') ?? ''
  const { at } = reference
  const refuse = (fault: Fault): LocatedMap => {
    manifests.faults.push(fault)
    return unknownOidc(at)
  }
  if (!find(manifests, 'ConfigMap', name, namespace)) return refuse(dangling(manifests, 'ConfigMap', name, at))
  const read = (key: string) => readConfigMap(manifests, name, key, namespace)
  const key = getString(reference, 'key') ?? DOCUMENTED_KEY
  const whole = read(key)
  if ('missing' in read('issuer') && 'value' in whole) {
    const [document] = parseJson(at.file, whole.value).documents
    if (document?.kind !== 'map') return refuse(fileError(at, `key "${key}" of the ConfigMap is not a JSON object`))
    const unknown = [...document.entries.keys()].find((one) => !Object.hasOwn(OIDC_KEYS, one))
    if (unknown !== undefined) {
      const message = `unknown key "${unknown}" in "${key}" of the ConfigMap`
      return refuse(fileError(at, message, suggest(unknown, Object.keys(OIDC_KEYS))))
    }
    // Text inside a text has no line of its own.
    return inlineOidc(manifests, asMap(located(plain(document), at)) ?? map(at), namespace)
  }
  const oidc = map(at)
  for (const [from, to] of Object.entries(OIDC_KEYS)) {
    const found = read(from)
    if ('value' in found) put(oidc, to, asMeant(from, found.value, at))
  }
  if (oidc.entries.has('issuer')) return oidc
  const hint = `single keys are read, such as issuer, audience and jwksUrl; or JSON with them under "${key}"`
  return refuse(fileError(at, `ConfigMap "${name}" has no key "issuer"`, hint))
}

/** Tokens of service accounts, checked against the cluster's own issuer. */
function clusterOidc(settings: LocatedMap): LocatedMap {
  const oidc = map(settings.at)
  put(oidc, 'issuer', get(settings, 'issuer') ?? scalar(CLUSTER_ISSUER, settings.at))
  put(oidc, 'audience', get(settings, 'audience') ?? scalar(CLUSTER_AUDIENCE, settings.at))
  for (const key of ['jwksUrl', 'introspectionUrl']) {
    const value = get(settings, key)
    if (value) put(oidc, key, value)
  }
  const own = get(settings, 'useClusterAuth')
  if (own?.kind === 'scalar' && own.value === false) return oidc
  // The API server is at a private address, has a certificate of its own, and answers only those who are known.
  put(oidc, 'caBundlePath', scalar(`${SERVICE_ACCOUNT}/ca.crt`, settings.at))
  put(oidc, 'jwksAuthTokenPath', scalar(`${SERVICE_ACCOUNT}/token`, settings.at))
  put(oidc, 'jwksAllowPrivateIp', scalar(true, settings.at))
  return oidc
}

const AUTHZ_EXTRAS = ['groupClaimName', 'roleClaimName', 'groupEntityType']

function readAuthz(manifests: Manifests, server: ManifestObject, node: LocatedMap): LocatedMap | undefined {
  const reference = getMap(node, 'authzConfigRef')
  if (reference) {
    const name = getString(reference, 'name') ?? ''
    const config = find(manifests, 'MCPAuthzConfig', name, server.namespace)
    if (config) return cedar(getMap(config.spec, 'config') ?? map(config.at))
    manifests.faults.push(dangling(manifests, 'MCPAuthzConfig', name, reference.at))
    return undefined
  }
  const config = getMap(node, 'authzConfig')
  if (!config) return undefined
  const inline = getMap(config, 'inline')
  const authz = inline ? cedar(inline) : configMapAuthz(manifests, server, config)
  for (const key of AUTHZ_EXTRAS) {
    const value = get(config, key)
    if (value && authz) put(authz, key, value)
  }
  return authz
}

function configMapAuthz(manifests: Manifests, server: ManifestObject, config: LocatedMap): LocatedMap | undefined {
  const reference = getMap(config, 'configMap')
  const at = reference?.at ?? config.at
  const key = getString(reference, 'key') ?? 'authz.json'
  const text = readConfigMap(manifests, getString(reference, 'name') ?? '', key, server.namespace)
  const refuse = (fault: Fault): undefined => void manifests.faults.push(fault)
  if ('missing' in text) return refuse(fileError(at, text.missing))
  const [document] = parseJson(at.file, text.value).documents
  if (document?.kind !== 'map') return refuse(fileError(at, `key "${key}" of the ConfigMap is not a JSON object`))
  // Text inside a text has no line of its own.
  return cedar(asMap(located(plain(getMap(document, 'cedar') ?? document), at)) ?? map(at))
}

function cedar(block: LocatedMap): LocatedMap {
  const authz = map(block.at)
  put(authz, 'type', scalar('cedar', block.at))
  const policies = get(block, 'policies')
  if (policies) put(authz, 'policies', policies)
  const entities = get(block, 'entitiesJson') ?? get(block, 'entities_json')
  if (entities) put(authz, 'entitiesJson', entities)
  for (const key of [...AUTHZ_EXTRAS, 'primaryUpstreamProvider']) {
    const value = get(block, key)
    if (value) put(authz, key, value)
  }
  return authz
}
