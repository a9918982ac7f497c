import { type Fault, fileError, warning } from '../../faults.ts'
import {
  asMap,
  get,
  getItems,
  getMap,
  getString,
  type Located,
  type LocatedMap,
  map,
  type Position,
} from '../../positions.ts'
import { nearest, suggest } from '../../../model/nearest.ts'
import type { Withheld } from '../contribution.ts'

const GROUP = 'toolhive.stacklok.dev'
const VERSIONS = new Set([`${GROUP}/v1alpha1`, `${GROUP}/v1beta1`])

const words = (text: string): string[] => text.trim().split(/\s+/u)

/** Of the custom resources those that a gateway reads, and the keys of their `spec`: honoured, or for clusters only. */
const KINDS: Readonly<Record<string, { honoured: readonly string[]; cluster: readonly string[] }>> = {
  MCPGroup: { honoured: ['description'], cluster: [] },
  MCPServer: {
    honoured: words(`
      image transport proxyMode port targetPort proxyPort mcpPort args env volumes secrets tools toolConfigRef
      externalAuthConfigRef groupRef`),
    cluster: words(`
      name command registryRef resources serviceAccount permissionProfile podTemplateSpec resourceOverrides oidcConfig
      oidcConfigRef authzConfig authzConfigRef audit telemetry telemetryConfigRef trustProxyHeaders authServerRef
      webhookConfigRef endpointPrefix sessionAffinity replicas backendReplicas sessionStorage rateLimiting`),
  },
  MCPRemoteProxy: {
    honoured: words(`
      remoteURL remoteUrl transport groupRef headerForward toolConfigRef externalAuthConfigRef externalAuthConfig`),
    cluster: words(`
      port proxyPort oidcConfig oidcConfigRef authzConfig authzConfigRef audit auditLog telemetry telemetryConfigRef
      resources trustProxyHeaders resourceOverrides endpointPrefix allowPrivateEndpoint podTemplateSpec serviceAccount
      replicas sessionStorage sessionAffinity authServerRef rateLimiting`),
  },
  MCPServerEntry: {
    honoured: words('remoteUrl remoteURL transport groupRef headerForward externalAuthConfigRef toolConfigRef'),
    cluster: words('allowPrivateEndpoint caBundleRef'),
  },
  MCPToolConfig: { honoured: words('toolsFilter toolsOverride'), cluster: [] },
  MCPExternalAuthConfig: {
    honoured: words(`
      type tokenExchange headerInjection bearerToken unauthenticated embeddedAuthServer awsSts upstreamInject obo xaa`),
    cluster: [],
  },
  MCPOIDCConfig: { honoured: words('type kubernetesServiceAccount inline'), cluster: [] },
  MCPAuthzConfig: { honoured: words('type config'), cluster: [] },
  VirtualMCPServer: {
    honoured: words(`
      groupRef incomingAuth outgoingAuth aggregation compositeTools compositeToolRefs operational passthroughHeaders
      sessionStorage config`),
    cluster: words(`
      serviceType sessionAffinity serviceAccount podTemplateSpec replicas telemetryConfigRef embeddingServerRef
      authServerConfig imagePullSecrets`),
  },
  VirtualMCPCompositeToolDefinition: {
    honoured: [],
    cluster: [],
  },
}

/** What stands below these keys, wherever they are honoured. Of another form it would be passed over in silence. */
const LISTS = new Set(words('args env volumes secrets tools toolsFilter addHeadersFromSecret'))
const MAPS = new Set(
  words(`
    incomingAuth outgoingAuth config headerForward toolsOverride sessionStorage oidcConfig oidcConfigRef authzConfig
    authzConfigRef inline configMap kubernetes kubernetesServiceAccount tokenExchange headerInjection bearerToken
    xaa addPlaintextHeaders aggregation operational`),
)
const REFERENCES = new Set(words('groupRef toolConfigRef externalAuthConfigRef'))
/** Of these only some values mean something. */
const CHOICES: Readonly<Record<string, readonly string[]>> = {
  transport: ['stdio', 'streamable-http', 'sse'],
  proxyMode: ['streamable-http', 'sse'],
}
/** Blocks whose own keys are looked at too. */
const OPENED = new Set(words('incomingAuth oidcConfig authzConfig headerForward'))

/** Core kinds that others refer to. */
const CORE_KINDS = new Set(['Secret', 'ConfigMap'])

export interface ManifestObject {
  kind: string
  name: string
  namespace: string | undefined
  root: LocatedMap
  spec: LocatedMap
  /** Of the name, or of the object. */
  at: Position
}

/** The manifests of all files together, and what was noticed while reading them. */
export interface Manifests {
  objects: ManifestObject[]
  faults: Fault[]
  withheld: Withheld[]
  /** Accepted but without effect here; for the log at level debug. */
  notes: string[]
}

export const emptyManifests = (): Manifests => ({ objects: [], faults: [], withheld: [], notes: [] })

/** Adds one document. Kinds that a gateway does not read are noted and left alone. */
export function collect(manifests: Manifests, root: LocatedMap): void {
  const kind = getString(root, 'kind') ?? ''
  const apiVersion = getString(root, 'apiVersion') ?? ''
  if (kind === 'List' || kind.endsWith('List')) {
    for (const item of getItems(root, 'items')) if (item.kind === 'map') collect(manifests, item)
    return
  }
  const name = getString(getMap(root, 'metadata'), 'name')
  const label = `${kind}/${name ?? '?'}`
  const ours = apiVersion.startsWith(`${GROUP}/`)
  const rules = Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined
  if (!(ours && rules) && !(apiVersion === 'v1' && CORE_KINDS.has(kind))) {
    const meant = ours ? nearest(kind, Object.keys(KINDS)) : undefined
    if (meant === undefined) manifests.notes.push(`${root.at.file}: ${label} (${apiVersion}) is not read`)
    else {
      const at = get(root, 'kind')?.at ?? root.at
      manifests.faults.push(fileError(at, `unknown kind "${kind}"`, suggest(kind, Object.keys(KINDS))))
    }
    return
  }
  if (ours && !VERSIONS.has(apiVersion)) {
    const at = get(root, 'apiVersion')?.at ?? root.at
    manifests.faults.push(fileError(at, `unknown version "${apiVersion}"`, `there is ${[...VERSIONS].join(' and ')}`))
  }
  if (name === undefined || name === '') {
    const at = getMap(root, 'metadata')?.at ?? root.at
    manifests.faults.push(fileError(at, `${kind} without metadata.name`))
    return
  }
  const specNode = get(root, 'spec')
  if (specNode && specNode.kind !== 'map' && !(specNode.kind === 'scalar' && specNode.value === null)) {
    manifests.faults.push(fileError(specNode.at, 'expected a map'))
    return
  }
  const object: ManifestObject = {
    kind,
    name,
    namespace: getString(getMap(root, 'metadata'), 'namespace'),
    root,
    spec: asMap(specNode) ?? map(root.at),
    at: get(getMap(root, 'metadata'), 'name')?.at ?? root.at,
  }
  manifests.objects.push(object)
  // The schema knows the keys of composite tools, and their older spellings.
  if (rules && kind !== 'VirtualMCPCompositeToolDefinition') checkKeys(manifests, object, rules)
}

/** A key that is almost a known one is a typing error; any other may belong to a newer version of the kind. */
function checkKeys(manifests: Manifests, object: ManifestObject, rules: (typeof KINDS)[string]): void {
  const known = [...rules.honoured, ...rules.cluster]
  const cluster: string[] = []
  for (const [key, entry] of object.spec.entries) {
    if (rules.cluster.includes(key)) cluster.push(key)
    if (known.includes(key)) continue
    const close = nearest(key, known)
    manifests.faults.push(
      close === undefined && object.kind !== 'VirtualMCPServer'
        ? warning(entry.at, `unknown key "${key}" is ignored`)
        : fileError(entry.at, `unknown key "${key}"`, suggest(key, known)),
    )
  }
  const honoured = [...object.spec.entries].filter(([key]) => rules.honoured.includes(key))
  checkForms(manifests, map(object.spec.at, honoured))
  if (cluster.length > 0)
    manifests.notes.push(`${object.kind}/${object.name}: ${cluster.join(', ')} only count in a cluster`)
}

function checkForms(manifests: Manifests, block: LocatedMap): void {
  for (const [key, { value }] of block.entries) {
    // `key:` with nothing behind it means that the key is absent.
    if (value.kind === 'scalar' && value.value === null) continue
    if (LISTS.has(key) && value.kind !== 'list') manifests.faults.push(fileError(value.at, 'expected a list'))
    if (MAPS.has(key) && value.kind !== 'map') manifests.faults.push(fileError(value.at, 'expected a map'))
    if (REFERENCES.has(key) && !refName(value)) manifests.faults.push(fileError(value.at, 'expected {name: ...}'))
    if (OPENED.has(key) && value.kind === 'map') checkForms(manifests, value)
    const choices = Object.hasOwn(CHOICES, key) ? CHOICES[key] : undefined
    if (choices && value.kind === 'scalar' && !choices.includes(String(value.value))) {
      const hint = suggest(String(value.value), choices)
      manifests.faults.push(fileError(value.at, `unknown ${key} "${String(value.value)}"`, hint))
    }
  }
}

export const ofKind = (manifests: Manifests, kind: string): ManifestObject[] =>
  manifests.objects.filter((object) => object.kind === kind)

/** Objects without a namespace live in every one: files are often written for `kubectl apply -n`. */
export const sameNamespace = (a: string | undefined, b: string | undefined): boolean =>
  a === undefined || b === undefined || a === b

/** The object of that name: in the same namespace, else (`anywhere`) in any. */
export function find(
  manifests: Manifests,
  kind: string,
  name: string,
  namespace: string | undefined,
  anywhere = false,
): ManifestObject | undefined {
  const named = ofKind(manifests, kind).filter((object) => object.name === name)
  return named.find((object) => sameNamespace(object.namespace, namespace)) ?? (anywhere ? named[0] : undefined)
}

/** A reference as a plain name or `{name: ...}`. */
export function refName(node: Located | undefined): { name: string; at: Position } | undefined {
  const target = node?.kind === 'map' ? get(node, 'name') : node
  if (target?.kind !== 'scalar' || typeof target.value !== 'string' || target.value === '') return undefined
  return { name: target.value, at: target.at }
}

/** The fault of a reference that leads nowhere. */
export function dangling(manifests: Manifests, kind: string, name: string, at: Position): Fault {
  return fileError(
    at,
    `${kind} "${name}" is not among the files`,
    suggest(
      name,
      ofKind(manifests, kind).map((object) => object.name),
    ),
  )
}
