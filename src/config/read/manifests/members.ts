import { fileError } from '../../faults.ts'
import { literal } from '../../expand.ts'
import { literally } from '../../file-values.ts'
import {
  get,
  getEntries,
  getItems,
  getMap,
  getString,
  list,
  type Located,
  type LocatedMap,
  map,
  put,
  scalar,
} from '../../positions.ts'
import { type ManifestObject, type Manifests, refName } from './objects.ts'
import { readConfigMap, readSecret } from './secrets.ts'

/** Names a server that runs already, so that this machine need not start it. It wins over `status.url`. */
const URL_ANNOTATION = 'toolhive.stacklok.dev/url'

/** Images that stand for a package: the program that runs it. */
const PACKAGE_RUNNERS: Readonly<Record<string, { command: string; before: readonly string[] }>> = {
  npx: { command: 'npx', before: ['-y'] },
  uvx: { command: 'uvx', before: [] },
  go: { command: 'go', before: ['run'] },
}

/** The kinds that are members of a group, in the order in which they are listed. */
export const MEMBER_KINDS = ['MCPServer', 'MCPRemoteProxy', 'MCPServerEntry'] as const

/** One group member as a backend in the shape of the schema. */
export function readMember(manifests: Manifests, object: ManifestObject): LocatedMap {
  const backend = map(object.at)
  put(backend, 'name', scalar(object.name, object.at))
  if (object.kind === 'MCPServer') readServer(manifests, object, backend)
  else readRemote(manifests, object, backend)
  return backend
}

function readServer(manifests: Manifests, object: ManifestObject, backend: LocatedMap): void {
  const { spec } = object
  const runsAt =
    get(getMap(getMap(object.root, 'metadata'), 'annotations'), URL_ANNOTATION) ??
    get(getMap(object.root, 'status'), 'url')
  if (runsAt) {
    putUrl(backend, runsAt, proxiedTransport(spec))
    return
  }
  const image = get(spec, 'image')
  if (image?.kind !== 'scalar' || typeof image.value !== 'string' || image.value === '') {
    manifests.faults.push(
      fileError(
        image?.at ?? spec.at,
        'MCPServer without spec.image',
        'name an image, npx://PACKAGE, uvx://PACKAGE or go://MODULE',
      ),
    )
    return
  }
  const [, scheme = '', rest = ''] = /^([a-z]+):\/\/(.+)$/u.exec(image.value) ?? []
  const runner = Object.hasOwn(PACKAGE_RUNNERS, scheme) ? PACKAGE_RUNNERS[scheme] : undefined
  const given = getItems(spec, 'args').map(literally)
  const argsAt = get(spec, 'args')?.at ?? image.at
  if (runner) {
    put(backend, 'command', scalar(runner.command, image.at))
    const before = [...runner.before, literal(rest)].map((text) => scalar(text, image.at))
    put(backend, 'args', list([...before, ...given], argsAt))
  } else {
    put(backend, 'image', image)
    put(backend, 'args', list(given, argsAt))
    const transport = get(spec, 'transport')
    if (transport) put(backend, 'transport', transport)
    const port = get(spec, 'mcpPort') ?? get(spec, 'targetPort')
    if (port) put(backend, 'port', port)
    putVolumes(spec, backend)
  }
  const env = map(get(spec, 'env')?.at ?? image.at)
  readEnv(manifests, object, env)
  readSecrets(manifests, object, env)
  if (env.entries.size > 0) put(backend, 'env', env)
}

function putVolumes(spec: LocatedMap, backend: LocatedMap): void {
  const volumes = get(spec, 'volumes')
  if (volumes?.kind !== 'list') return
  const mounts = volumes.items.map((item) => {
    if (item.kind !== 'map') return item
    // The volume's own name joins two places of a pod; here there is one.
    return map(
      item.at,
      [...item.entries].filter(([key]) => key !== 'name'),
    )
  })
  put(backend, 'volumes', list(mounts, volumes.at))
}

function readEnv(manifests: Manifests, object: ManifestObject, env: LocatedMap): void {
  for (const item of getItems(object.spec, 'env')) {
    const name = getString(item, 'name')
    if (name === undefined) {
      manifests.faults.push(fileError(item.at, 'expected {name: ..., value: ...}'))
      continue
    }
    const value = get(item, 'value')
    const source = getMap(item, 'valueFrom')
    if (value) put(env, name, literally(value))
    else if (source) {
      const secret = getMap(source, 'secretKeyRef')
      const configMap = getMap(source, 'configMapKeyRef')
      const result = secret
        ? readSecret(manifests, secret, object.namespace)
        : configMap
          ? readConfigMap(
              manifests,
              getString(configMap, 'name') ?? '',
              getString(configMap, 'key') ?? '',
              object.namespace,
            )
          : { missing: `the value of ${name} comes from a place that exists only in a cluster` }
      putSecret(manifests, object, env, name, result, source)
    } else put(env, name, scalar('', item.at))
  }
}

function readSecrets(manifests: Manifests, object: ManifestObject, env: LocatedMap): void {
  for (const item of getItems(object.spec, 'secrets')) {
    const key = getString(item, 'key')
    if (key === undefined || getString(item, 'name') === undefined) {
      manifests.faults.push(fileError(item.at, 'expected {name: ..., key: ..., targetEnvName: ...}'))
      continue
    }
    putSecret(
      manifests,
      object,
      env,
      getString(item, 'targetEnvName') ?? key,
      readSecret(manifests, item, object.namespace),
      item,
    )
  }
}

function putSecret(
  manifests: Manifests,
  object: ManifestObject,
  target: LocatedMap,
  key: string,
  result: { value: string } | { missing: string },
  node: Located,
): void {
  if ('value' in result) put(target, key, scalar(literal(result.value), node.at))
  else {
    const hint = 'put the manifest among the files, or start the server with a url'
    manifests.withheld.push({ backend: object.name, at: node.at, message: result.missing, hint })
  }
}

function readRemote(manifests: Manifests, object: ManifestObject, backend: LocatedMap): void {
  const { spec } = object
  const url = get(spec, 'remoteURL') ?? get(spec, 'remoteUrl')
  if (!url) {
    manifests.faults.push(fileError(spec.at, `${object.kind} without spec.remoteUrl`))
    return
  }
  putUrl(backend, url, getString(spec, 'transport'))
  const headers = map(get(spec, 'headerForward')?.at ?? spec.at)
  for (const [name, entry] of getEntries(getMap(spec, 'headerForward'), 'addPlaintextHeaders')) {
    put(headers, name, literally(entry.value), entry.at)
  }
  for (const item of getItems(getMap(spec, 'headerForward'), 'addHeadersFromSecret')) {
    const name = getString(item, 'headerName')
    const reference = get(item, 'valueSecretRef')
    if (name === undefined || !reference) {
      manifests.faults.push(fileError(item.at, 'expected {headerName: ..., valueSecretRef: {name: ..., key: ...}}'))
      continue
    }
    putSecret(manifests, object, headers, name, readSecret(manifests, reference, object.namespace), reference)
  }
  if (headers.entries.size > 0) put(backend, 'headers', headers)
}

/** What the proxy before a server speaks: its own mode for stdio servers, else that of the server. */
function proxiedTransport(spec: LocatedMap): string | undefined {
  const transport = getString(spec, 'transport')
  return transport === undefined || transport === 'stdio' ? getString(spec, 'proxyMode') : transport
}

function putUrl(backend: LocatedMap, url: Located, transport: string | undefined): void {
  const text = url.kind === 'scalar' ? String(url.value) : ''
  const [address = ''] = text.split('#')
  put(backend, 'url', url.kind === 'scalar' ? scalar(literal(address), url.at) : url)
  const kind = transport === 'sse' || address.endsWith('/sse') ? 'sse' : transport
  if (kind !== undefined) put(backend, 'transport', scalar(kind, url.at))
}

/** The group that an object says it belongs to. */
export const groupOf = ({ spec }: ManifestObject) =>
  // Servers of some releases had it inside of `config`.
  refName(get(spec, 'groupRef')) ?? refName(get(get(spec, 'config'), 'groupRef'))
