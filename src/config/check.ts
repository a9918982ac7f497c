import type { Check, CheckContext } from './check-context.ts'
import { parseDuration } from '../model/duration.ts'
import { type Fault, fileError, warning } from './faults.ts'
import { HEADER_HINT, isNeverPassed, isProtocolHeader, protocolHeader } from './header-names.ts'
import { incomingAuth } from './incoming-checks.ts'
import { suggest } from '../model/nearest.ts'
import { get, getItems, keyPositionOf, type LocatedMap, type Position, positionOf, type Step } from './positions.ts'
import { outgoingAuth } from './outgoing-checks.ts'
import type { AuthoredConfig } from './schema.ts'
import type { AuthoredBackend } from './schema/backends.ts'

/** What the schema cannot say: references that lead nowhere, contradictions, values that depend on others. */
const CHECKS: readonly Check[] = [
  backendNames,
  backendEndpoints,
  vendorMethods,
  danglingBackends,
  strategyNeeds,
  toolEntries,
  failureTimes,
  positiveDurations,
  incomingAuth,
  outgoingAuth,
  compositeTools,
  rateLimits,
  storage,
  passthrough,
  sealing,
]

/**
 * `names`: of all backends; undefined when some may come from elsewhere, so that no name is wrong. `lost`: sections
 * that the configuration is without because of faults in them.
 */
export function check(
  root: LocatedMap,
  config: AuthoredConfig,
  names: readonly string[] | undefined,
  lost: ReadonlySet<string>,
): Fault[] {
  const faults: Fault[] = []
  const context: CheckContext = {
    config,
    names,
    lost,
    error: (steps, message, hint) => void faults.push(fileError(positionOf(root, steps), message, hint)),
    keyError: (steps, message, hint) => void faults.push(fileError(keyPositionOf(root, steps), message, hint)),
    warn: (steps, message, hint) => void faults.push(warning(positionOf(root, steps), message, hint)),
  }
  for (const one of CHECKS) one(context)
  return faults
}

/** The names of all backends, also of those with other faults. */
export const backendNamesIn = (root: LocatedMap): string[] => nameNodes(root).map(({ name }) => name)

function nameNodes(root: LocatedMap): { name: string; at: Position }[] {
  return getItems(root, 'backends').flatMap((item) => {
    const node = get(item, 'name')
    return node?.kind === 'scalar' && typeof node.value === 'string' ? [{ name: node.value, at: node.at }] : []
  })
}

/** Equal names among the backends of all files. */
export function duplicateBackends(root: LocatedMap): Fault[] {
  const first = new Map<string, Position>()
  return nameNodes(root).flatMap(({ name, at }) => {
    const before = first.get(name)
    if (!before) {
      first.set(name, at)
      return []
    }
    const where = `${before.file}:${before.line}:${before.column}`
    return [fileError(at, `the backend "${name}" is defined twice`, `the other one is at ${where}; rename one`)]
  })
}

function backendNames({ config, error }: CheckContext): void {
  for (const [index, backend] of (config.backends ?? []).entries()) {
    // oxlint-disable-next-line no-control-regex -- these are what must not reach a terminal
    if (/[\u0000-\u001f\u007f]/u.test(backend.name)) error(['backends', index, 'name'], 'control characters in a name')
  }
}

/** First parts of the methods that the protocol and its extensions have, or JSON-RPC keeps for itself. */
const RESERVED_METHODS =
  /^(?:initialize$|ping$|rpc\.|(?:completion|elicitation|logging|notifications|prompts|resources|roots|sampling|server|skills|subscriptions|tasks|tools)\/)/

function vendorMethods({ config, error }: CheckContext): void {
  const owners = new Map<string, string>()
  for (const [index, { name, methods = [] }] of (config.backends ?? []).entries()) {
    for (const [place, method] of methods.entries()) {
      const steps = ['backends', index, 'methods', place]
      const owner = owners.get(method)
      if (method === '') error(steps, 'a method without a name')
      else if (RESERVED_METHODS.test(method)) {
        error(steps, `${method} belongs to the protocol`, 'list only methods that the protocol does not have')
      } else if (owner !== undefined) {
        error(steps, `the method ${method} is given to "${owner}" and to "${name}"`, 'give it to one of them')
      }
      owners.set(method, name)
    }
  }
}

/** Keys that mean something only beside one kind of endpoint. */
const ENDPOINT_KEYS: Readonly<Record<'url' | 'command' | 'image', readonly (keyof AuthoredBackend)[]>> = {
  url: ['headers', 'caBundlePath', 'type'],
  command: ['cwd'],
  image: ['port', 'volumes'],
}
const SHARED_KEYS: Readonly<Partial<Record<keyof AuthoredBackend, readonly string[]>>> = {
  args: ['command', 'image'],
  env: ['command', 'image'],
}

function backendEndpoints({ config, error, keyError, warn }: CheckContext): void {
  for (const [index, backend] of (config.backends ?? []).entries()) {
    const steps = ['backends', index]
    const kinds = (['url', 'command', 'image'] as const).filter((key) => backend[key] !== undefined)
    const [kind, second] = kinds
    if (kind === undefined) {
      error(steps, `the backend "${backend.name}" has neither url nor command`, 'give it one of url, command and image')
      continue
    }
    if (second !== undefined) {
      const message = `the backend "${backend.name}" has both ${kinds.join(' and ')}`
      keyError([...steps, second], message, 'keep one of them')
      continue
    }
    for (const [owner, keys] of Object.entries(ENDPOINT_KEYS)) {
      for (const key of keys) {
        if (owner === kind || backend[key] === undefined) continue
        // A process has no headers: the key does nothing, and files are made by copying whole entries.
        const tell = key === 'headers' ? warn : keyError
        tell([...steps, key], `${key} goes with ${owner}, not with ${kind}`)
      }
    }
    for (const [key, owners] of Object.entries(SHARED_KEYS)) {
      const given = backend[key as keyof AuthoredBackend] !== undefined
      if (given && !owners.includes(kind))
        keyError([...steps, key], `${key} goes with ${owners.join(' or ')}, not with ${kind}`)
    }
    checkTransport(backend, kind, [...steps, 'transport'], error)
    if (kind === 'url') {
      for (const header of Object.keys(backend.headers ?? {}).filter(isProtocolHeader)) {
        keyError([...steps, 'headers', header], protocolHeader(header), HEADER_HINT)
      }
    }
    if (backend.caBundlePath !== undefined)
      checkBundle(backend, backend.caBundlePath, [...steps, 'caBundlePath'], error)
    if (backend.metadata?.['group'] !== undefined) {
      keyError([...steps, 'metadata', 'group'], 'the key "group" is reserved for the name of the group')
    }
  }
}

function checkTransport(backend: AuthoredBackend, kind: string, steps: Step[], error: CheckContext['error']): void {
  const { transport } = backend
  if (kind === 'url' && transport === 'stdio')
    error(steps, 'a url is reached over streamable-http or sse, not over stdio')
  if (kind === 'command' && transport !== undefined && transport !== 'stdio') {
    error(steps, `a command talks over stdio, not over ${transport}`, 'start it yourself and give its url')
  }
}

function checkBundle(backend: AuthoredBackend, path: string, steps: Step[], error: CheckContext['error']): void {
  if (backend.type !== 'entry') error(steps, 'caBundlePath goes only with type: entry')
  if (!path.startsWith('/') || path.split('/').includes('..')) error(steps, 'expected an absolute path without ".."')
}

/** Every place that names a backend. */
function danglingBackends({ config, names, error, keyError }: CheckContext): void {
  if (!names) return
  const complain = (name: string, at: typeof error, steps: readonly Step[]) => {
    if (!names.includes(name)) at(steps, `there is no backend "${name}"`, suggest(name, names))
  }
  const { aggregation, operational, outgoingAuth } = config
  for (const [index, entry] of (aggregation?.tools ?? []).entries()) {
    complain(entry.workload, error, ['aggregation', 'tools', index, 'workload'])
  }
  for (const [index, name] of (aggregation?.conflictResolutionConfig?.priorityOrder ?? []).entries()) {
    complain(name, error, ['aggregation', 'conflictResolutionConfig', 'priorityOrder', index])
  }
  for (const name of Object.keys(operational?.timeouts?.perWorkload ?? {})) {
    complain(name, keyError, ['operational', 'timeouts', 'perWorkload', name])
  }
  for (const name of Object.keys(outgoingAuth?.backends ?? {})) {
    complain(name, keyError, ['outgoingAuth', 'backends', name])
  }
}

function strategyNeeds({ config, error, warn }: CheckContext): void {
  const { aggregation } = config
  if (!aggregation) return
  const { conflictResolution, conflictResolutionConfig, tools } = aggregation
  const order = conflictResolutionConfig?.priorityOrder ?? []
  const at = ['aggregation', 'conflictResolution']
  const orderAt = ['aggregation', 'conflictResolutionConfig', 'priorityOrder']
  if (conflictResolution === 'priority' && order.length === 0) {
    error(
      at,
      'the strategy "priority" needs conflictResolutionConfig.priorityOrder',
      'list the backends, the winner first',
    )
  }
  // An empty list is a decision: nothing is settled by hand, so every clash is withheld.
  if (conflictResolution === 'manual' && tools === undefined) {
    error(
      at,
      'the strategy "manual" needs aggregation.tools',
      'write the overrides there, or tools: [] to withhold every clash',
    )
  }
  for (const [index, name] of order.entries()) {
    if (order.indexOf(name) !== index) error([...orderAt, index], `"${name}" stands twice in the order`)
  }
  if (order.length > 0 && conflictResolution !== 'priority') {
    warn(orderAt, `priorityOrder has no effect with the strategy "${conflictResolution ?? 'prefix'}"`)
  }
  if (aggregation.onlyOnConflict && conflictResolution !== undefined && conflictResolution !== 'prefix') {
    warn(['aggregation', 'onlyOnConflict'], `onlyOnConflict has no effect with the strategy "${conflictResolution}"`)
  }
  if (aggregation.defaultToolVisibility === 'deny' && conflictResolution === 'priority') {
    const listed = new Set(tools?.map((entry) => entry.workload))
    for (const [index, name] of order.entries()) {
      if (!listed.has(name)) {
        const message = `"${name}" is hidden by defaultToolVisibility: deny, so its priority means nothing`
        error([...orderAt, index], message, 'give it an entry in aggregation.tools')
      }
    }
  }
}

function toolEntries({ config, error, keyError, warn }: CheckContext): void {
  const seen = new Set<string>()
  for (const [index, entry] of (config.aggregation?.tools ?? []).entries()) {
    const steps = ['aggregation', 'tools', index]
    if (seen.has(entry.workload))
      error([...steps, 'workload'], `a second entry for "${entry.workload}"`, 'join the two')
    seen.add(entry.workload)
    if (entry.excludeAll && entry.filter && entry.filter.length > 0) {
      keyError([...steps, 'excludeAll'], 'excludeAll and filter contradict each other', 'keep one of them')
    }
    const names = new Map<string, string>()
    for (const [tool, override] of Object.entries(entry.overrides ?? {})) {
      const at = [...steps, 'overrides', tool]
      const { name } = override
      if (name === undefined && override.description === undefined && override.annotations === undefined) {
        error(at, 'the override changes nothing', 'give it a name, a description or annotations')
      }
      if (name === undefined) continue
      const other = names.get(name)
      if (other !== undefined) error([...at, 'name'], `"${other}" is renamed to "${name}" already`)
      names.set(name, tool)
    }
    const renamed = new Map([...names].map(([name, tool]) => [tool, name]))
    for (const [place, name] of (entry.filter ?? []).entries()) {
      const now = renamed.get(name)
      if (now !== undefined && now !== name && !names.has(name)) {
        warn(
          [...steps, 'filter', place],
          `"${name}" is renamed to "${now}", and filters use the new names`,
          `write "${now}"`,
        )
      }
    }
  }
}

/** Used when `healthCheckInterval` is absent, milliseconds. */
export const DEFAULT_HEALTH_INTERVAL_MS = 30_000

function failureTimes({ config, error }: CheckContext): void {
  const handling = config.operational?.failureHandling
  const at = ['operational', 'failureHandling']
  const interval = parseDuration(handling?.healthCheckInterval ?? '') ?? DEFAULT_HEALTH_INTERVAL_MS
  const timeout = parseDuration(handling?.healthCheckTimeout ?? '') ?? 0
  if (timeout > 0 && timeout >= interval) {
    const message = `healthCheckTimeout (${handling?.healthCheckTimeout}) must be shorter than healthCheckInterval (${handling?.healthCheckInterval ?? '30s'})`
    error([...at, 'healthCheckTimeout'], message)
  }
  const breaker = parseDuration(handling?.circuitBreaker?.timeout ?? '')
  if (breaker !== undefined && breaker < 1000) {
    error([...at, 'circuitBreaker', 'timeout'], `expected at least 1s, found ${handling?.circuitBreaker?.timeout}`)
  }
}

/** Durations for which zero would mean "never" or "at once". */
function positiveDurations({ config, error }: CheckContext): void {
  const { timeouts, failureHandling, sessions } = config.operational ?? {}
  const places: [readonly Step[], string | undefined][] = [
    [['timeouts', 'default'], timeouts?.default],
    [['timeouts', 'max'], timeouts?.max],
    [['failureHandling', 'healthCheckInterval'], failureHandling?.healthCheckInterval],
    [['failureHandling', 'statusReportingInterval'], failureHandling?.statusReportingInterval],
    [['sessions', 'idleTimeout'], sessions?.idleTimeout],
    ...Object.entries(timeouts?.perWorkload ?? {}).map(([name, text]) => perName('perWorkload', name, text)),
    ...Object.entries(timeouts?.perTool ?? {}).map(([name, text]) => perName('perTool', name, text)),
  ]
  for (const [steps, text] of places) {
    if (text !== undefined && parseDuration(text) === 0) error(['operational', ...steps], 'expected more than 0s')
  }
}

const perName = (key: string, name: string, text: string): [readonly Step[], string] => [['timeouts', key, name], text]

/** What is wrong within one definition is found where it is compiled, and concerns nothing else. */
function compositeTools({ config, error }: CheckContext): void {
  const seen = new Set<string>()
  for (const [index, { name }] of (config.compositeTools ?? []).entries()) {
    if (seen.has(name)) error(['compositeTools', index, 'name'], `a second composite tool "${name}"`)
    seen.add(name)
  }
}

function rateLimits({ config, lost, error }: CheckContext): void {
  const limits = config.rateLimiting
  if (!limits) return
  if (!limits.shared && !limits.perUser && !limits.tools?.length && !limits.connections) {
    error(['rateLimiting'], 'the section limits nothing', 'give it shared, perUser, tools or connections')
  }
  const authenticated = lost.has('incomingAuth') || (config.incomingAuth?.type ?? 'anonymous') !== 'anonymous'
  if (limits.perUser && !authenticated)
    error(['rateLimiting', 'perUser'], 'perUser needs incomingAuth that knows users')
  for (const [index, tool] of (limits.tools ?? []).entries()) {
    const steps = ['rateLimiting', 'tools', index]
    if (!tool.shared && !tool.perUser) error(steps, 'the entry limits nothing', 'give it shared or perUser')
    if (tool.perUser && !authenticated) error([...steps, 'perUser'], 'perUser needs incomingAuth that knows users')
  }
}

function storage({ config, error }: CheckContext): void {
  for (const key of ['sessionStorage', 'workflowStorage'] as const) {
    const section = config[key]
    if (section?.provider === 'redis' && section.address === undefined)
      error([key], 'the provider "redis" needs an address')
  }
}

function passthrough({ config, error }: CheckContext): void {
  for (const [index, header] of (config.passthroughHeaders ?? []).entries()) {
    if (isNeverPassed(header)) error(['passthroughHeaders', index], `the header "${header}" is never passed on`)
  }
}

function sealing({ config, error }: CheckContext): void {
  const seen = new Set<string>()
  for (const [index, key] of (config.sealing?.keys ?? []).entries()) {
    const steps = ['sealing', 'keys', index]
    if (seen.has(key.id)) error([...steps, 'id'], `a second key "${key.id}"`)
    seen.add(key.id)
    if ((key.valueEnv === undefined) === (key.value === undefined))
      error(steps, 'expected exactly one of valueEnv and value')
  }
}
