import { UNAVAILABLE } from '../../credentials.ts'
import { fileError, warning } from '../../faults.ts'
import {
  get,
  getEntries,
  getMap,
  getString,
  type Located,
  type LocatedMap,
  map,
  type Position,
  put,
  scalar,
} from '../../positions.ts'
import { dangling, find, type ManifestObject, type Manifests, refName } from './objects.ts'
import { readSecret } from './secrets.ts'

type Strategy =
  | { kind: 'strategy'; node: LocatedMap }
  | { kind: 'withheld'; message: string; hint: string; at: Position }

/** Backend types of `spec.outgoingAuth`: the two spellings of each generation. */
const REFERENCE_TYPES = new Set(['externalAuthConfigRef', 'external_auth_config_ref'])

/**
 * `spec.outgoingAuth` of a VirtualMCPServer and the members' own references, in the shape of the schema.
 * `discovered` (the default): a member's own reference wins; `inline`: only the server's section counts.
 */
export function readOutgoingAuth(
  manifests: Manifests,
  server: ManifestObject | undefined,
  members: readonly ManifestObject[],
): LocatedMap | undefined {
  const node = getMap(server?.spec, 'outgoingAuth')
  if (node) checkKeys(manifests, node)
  const at = node?.at ?? server?.at ?? members[0]?.at
  if (!at) return undefined
  const source = getString(node, 'source') ?? 'discovered'
  const result = map(at)
  const sourceNode = get(node, 'source')
  put(result, 'source', sourceNode ?? scalar('discovered', at))
  const fallback = get(node, 'default')
  const namespace = server?.namespace
  const backends = map(at)
  const named = new Map(getEntries(node, 'backends'))
  for (const [name, entry] of named) {
    if (!members.some((member) => member.name === name)) {
      // Kept, so that the check of dangling names sees it.
      put(backends, name, unauthenticated(entry.at), entry.at)
    }
  }
  for (const member of members) {
    const own = source === 'discovered' ? ownReference(manifests, member) : undefined
    const configured = named.get(member.name)?.value ?? fallback
    const strategy = own ?? (configured ? configuredStrategy(manifests, configured, namespace) : undefined)
    if (strategy?.kind === 'withheld') {
      manifests.withheld.push({ backend: member.name, at: strategy.at, message: strategy.message, hint: strategy.hint })
    } else if (strategy) put(backends, member.name, strategy.node)
  }
  if (backends.entries.size > 0) put(result, 'backends', backends)
  return node || backends.entries.size > 0 ? result : undefined
}

function checkKeys(manifests: Manifests, node: LocatedMap): void {
  const known = ['source', 'default', 'backends']
  for (const [key, entry] of node.entries) {
    if (key === 'type') {
      const message = 'outgoingAuth.type is ignored: every backend is shown what its own externalAuthConfigRef says'
      manifests.faults.push(warning(entry.at, message, 'write source, default or backends'))
    } else if (!known.includes(key)) {
      manifests.faults.push(fileError(entry.at, `unknown key "${key}"`, `there is ${known.join(', ')}`))
    }
  }
}

function ownReference(manifests: Manifests, member: ManifestObject): Strategy | undefined {
  const node = get(member.spec, 'externalAuthConfigRef') ?? get(member.spec, 'externalAuthConfig')
  const reference = refName(node)
  return reference && resolveReference(manifests, reference, member.namespace)
}

function configuredStrategy(manifests: Manifests, node: Located, namespace: string | undefined): Strategy {
  const type = getString(node, 'type') ?? ''
  if (type === 'discovered' || type === 'unauthenticated') return { kind: 'strategy', node: unauthenticated(node.at) }
  if (REFERENCE_TYPES.has(type)) {
    const reference = refName(get(node, 'externalAuthConfigRef'))
    if (reference) return resolveReference(manifests, reference, namespace)
    manifests.faults.push(fileError(node.at, `${type} without externalAuthConfigRef.name`))
    return { kind: 'strategy', node: unauthenticated(node.at) }
  }
  // Anything else is in the shape of the schema, or the schema tells what is wrong.
  return { kind: 'strategy', node: node.kind === 'map' ? node : unauthenticated(node.at) }
}

function resolveReference(
  manifests: Manifests,
  reference: { name: string; at: Position },
  namespace: string | undefined,
): Strategy {
  const config = find(manifests, 'MCPExternalAuthConfig', reference.name, namespace)
  if (!config) {
    const { message, hint } = dangling(manifests, 'MCPExternalAuthConfig', reference.name, reference.at)
    return { kind: 'withheld', message, hint: hint ?? 'put the manifest among the files', at: reference.at }
  }
  return externalStrategy(manifests, config)
}

function externalStrategy(manifests: Manifests, config: ManifestObject): Strategy {
  const type = getString(config.spec, 'type') ?? ''
  const at = get(config.spec, 'type')?.at ?? config.at
  const convert = Object.hasOwn(EXTERNAL, type) ? EXTERNAL[type] : undefined
  if (convert) return convert(manifests, config, getMap(config.spec, type) ?? map(at))
  const known = Object.hasOwn(UNCONVERTED, type) ? UNCONVERTED[type] : undefined
  if (known) return { kind: 'withheld', ...known, at }
  const message = `outgoing authentication "${type}" of MCPExternalAuthConfig "${config.name}" is not available`
  return { kind: 'withheld', message, hint: `there is ${Object.keys(EXTERNAL).join(', ')}`, at }
}

/** The names that custom resources have for strategies that are not offered. */
const UNCONVERTED: Readonly<Record<string, { message: string; hint: string }>> = {
  upstreamInject: UNAVAILABLE.upstream_inject,
  awsSts: UNAVAILABLE.aws_sts,
  obo: UNAVAILABLE.obo,
}

type Convert = (manifests: Manifests, config: ManifestObject, block: LocatedMap) => Strategy

const EXTERNAL: Readonly<Record<string, Convert>> = {
  unauthenticated: (_manifests, config) => ({ kind: 'strategy', node: unauthenticated(config.at) }),
  headerInjection: (manifests, config, block) =>
    header(manifests, config, get(block, 'headerName') ?? scalar(null, block.at), get(block, 'valueSecretRef'), ''),
  bearerToken: (manifests, config, block) =>
    header(manifests, config, scalar('Authorization', block.at), get(block, 'tokenSecretRef'), 'Bearer '),
  tokenExchange: (manifests, config, block) => {
    const name = get(block, 'externalTokenHeaderName')
    if (name) {
      const message = 'externalTokenHeaderName is not supported: the exchanged token is shown in Authorization'
      manifests.faults.push(warning(name.at, message, 'the backend must take it there'))
    }
    return withSecrets(manifests, config, block, 'token_exchange', 'tokenExchange', ['externalTokenHeaderName'])
  },
  xaa: (manifests, config, block) => withSecrets(manifests, config, block, 'xaa', 'xaa'),
}

/** A block whose `...SecretRef` keys become the secrets themselves; keys in `without` are left out. */
function withSecrets(
  manifests: Manifests,
  config: ManifestObject,
  block: LocatedMap,
  type: string,
  key: string,
  without: readonly string[] = [],
): Strategy {
  const result = map(block.at)
  for (const [name, entry] of block.entries) {
    if (without.includes(name)) continue
    if (!name.endsWith('SecretRef')) put(result, name, entry.value, entry.at)
    else {
      const secret = readSecret(manifests, entry.value, config.namespace)
      if ('missing' in secret) return missing(secret.missing, entry.value.at)
      put(result, name.replace(/Ref$/u, ''), scalar(secret.value, entry.value.at), entry.at)
    }
  }
  return { kind: 'strategy', node: strategy(type, key, result) }
}

function header(
  manifests: Manifests,
  config: ManifestObject,
  name: Located,
  reference: Located | undefined,
  before: string,
): Strategy {
  const secret = readSecret(manifests, reference, config.namespace)
  const at = reference?.at ?? config.at
  if ('missing' in secret) return missing(secret.missing, at)
  const block = map(at)
  put(block, 'headerName', name)
  put(block, 'headerValue', scalar(before + secret.value, at))
  return { kind: 'strategy', node: strategy('header_injection', 'headerInjection', block) }
}

const missing = (message: string, at: Position): Strategy => ({
  kind: 'withheld',
  message,
  hint: 'put the Secret manifest among the files',
  at,
})

function strategy(type: string, key: string, block: LocatedMap): LocatedMap {
  const node = map(block.at)
  put(node, 'type', scalar(type, block.at))
  put(node, key, block)
  return node
}

function unauthenticated(at: Position): LocatedMap {
  const node = map(at)
  put(node, 'type', scalar('unauthenticated', at))
  return node
}
