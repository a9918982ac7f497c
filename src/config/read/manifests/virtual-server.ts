import { fileError, warning } from '../../faults.ts'
import {
  get,
  getMap,
  getString,
  list,
  type Located,
  located,
  type LocatedMap,
  map,
  put,
  scalar,
} from '../../positions.ts'
import { readIncomingAuth } from './incoming-auth.ts'
import type { ManifestObject, Manifests } from './objects.ts'

/** Sections of the flat spec of v0.6.11. At HEAD they live in `spec.config`. */
const FLAT_SECTIONS = ['aggregation', 'compositeTools', 'compositeToolRefs', 'operational'] as const

/** Strategies of the drafts of this kind that no release ever had, and what comes nearest. */
const DRAFT_STRATEGIES: Readonly<Record<string, string>> = { first: 'priority', merge: 'prefix', error: 'manual' }
const DRAFT_FAILURE_POLICIES: Readonly<Record<string, string>> = { failFast: 'fail', bestEffort: 'best_effort' }

/**
 * The options of a VirtualMCPServer: `spec.config` of HEAD or the flat spec of v0.6.11, and what the spec says about
 * authentication. Values of the early drafts are understood with a warning.
 */
export function readVirtualServer(
  manifests: Manifests,
  server: ManifestObject,
  members: readonly string[],
): LocatedMap {
  const { spec } = server
  const config = getMap(spec, 'config')
  const tree = map(config?.at ?? spec.at, config?.entries ?? [])
  put(tree, 'name', scalar(server.name, server.at))
  const groupRef = spec.entries.get('groupRef')
  if (groupRef) put(tree, 'groupRef', groupRef.value, groupRef.at)
  const incoming = readIncomingAuth(manifests, server)
  if (incoming) put(tree, 'incomingAuth', incoming, spec.entries.get('incomingAuth')?.at)
  for (const key of FLAT_SECTIONS) {
    const entry = spec.entries.get(key)
    if (!entry) continue
    if (tree.entries.has(key))
      manifests.faults.push(fileError(entry.at, `${key} stands in spec and in spec.config`, 'keep one'))
    put(tree, key, entry.value, entry.at)
  }
  const passthrough = spec.entries.get('passthroughHeaders')
  if (passthrough) put(tree, 'passthroughHeaders', passthrough.value, passthrough.at)
  putSessionStorage(tree, spec)
  putConverted(tree, 'aggregation', (node) => readAggregation(manifests, node, members))
  putConverted(tree, 'operational', (node) => readOperational(manifests, node))
  return tree
}

function putConverted(tree: LocatedMap, key: string, convert: (node: LocatedMap) => LocatedMap): void {
  const entry = tree.entries.get(key)
  if (entry?.value.kind === 'map') put(tree, key, convert(entry.value), entry.at)
}

function putSessionStorage(tree: LocatedMap, spec: LocatedMap): void {
  const storage = getMap(spec, 'sessionStorage')
  if (!storage) return
  // The operator mounts the password as THV_SESSION_REDIS_PASSWORD, which is the default here.
  const kept = [...storage.entries].filter(([key]) => key !== 'passwordRef')
  put(tree, 'sessionStorage', map(storage.at, kept), spec.entries.get('sessionStorage')?.at)
}

function readAggregation(manifests: Manifests, node: LocatedMap, members: readonly string[]): LocatedMap {
  const result = map(node.at, node.entries)
  const strategy = get(node, 'conflictResolution')
  const draft = getString(node, 'conflictResolution') ?? ''
  const priority = get(node, 'toolPriority')
  result.entries.delete('toolPriority')
  const replacement = Object.hasOwn(DRAFT_STRATEGIES, draft) ? DRAFT_STRATEGIES[draft] : undefined
  if (strategy && replacement !== undefined) {
    manifests.faults.push(
      warning(strategy.at, `the strategy "${draft}" is read as "${replacement}"`, `write "${replacement}"`),
    )
    put(result, 'conflictResolution', scalar(replacement, strategy.at))
    // Nothing is settled by hand: every clash withholds the entries, as "error" meant.
    if (replacement === 'manual' && !get(node, 'tools')) put(result, 'tools', list([], strategy.at))
  }
  const winnerDecides = (replacement ?? draft) === 'priority'
  const settings = getMap(node, 'conflictResolutionConfig')
  if (priority && !winnerDecides) {
    manifests.faults.push(warning(priority.at, 'toolPriority is ignored', 'write conflictResolution: priority'))
  } else if (winnerDecides && (priority || replacement !== undefined) && !get(settings, 'priorityOrder')) {
    const at = priority?.at ?? strategy?.at ?? node.at
    const order = [...new Set([...(priority ? knownMembers(manifests, priority, members) : []), ...members])]
    const ordered = map(at, settings?.entries ?? [])
    put(ordered, 'priorityOrder', located(order, at))
    put(result, 'conflictResolutionConfig', ordered)
    // Among no members nobody is first.
    if (order.length === 0) put(result, 'conflictResolution', scalar('prefix', at))
  }
  return result
}

/** Names of the draft's list that are not in the group are left out: it never was checked. */
function knownMembers(manifests: Manifests, priority: Located, members: readonly string[]): string[] {
  const items = priority.kind === 'list' ? priority.items : [priority]
  const hint = 'write conflictResolutionConfig.priorityOrder'
  manifests.faults.push(warning(priority.at, 'toolPriority is read as the order of priority', hint))
  return items.flatMap((item) => {
    const name = item.kind === 'scalar' ? String(item.value) : ''
    if (members.includes(name)) return [name]
    manifests.faults.push(warning(item.at, `"${name}" is not a member of the group and is left out`))
    return []
  })
}

function readOperational(manifests: Manifests, node: LocatedMap): LocatedMap {
  const result = map(node.at, node.entries)
  const timeout = node.entries.get('timeout')
  if (timeout) {
    manifests.faults.push(warning(timeout.at, 'timeout is read as timeouts.default', 'write timeouts: {default: ...}'))
    const timeouts = map(timeout.value.at, getMap(node, 'timeouts')?.entries ?? [])
    if (!timeouts.entries.has('default')) put(timeouts, 'default', timeout.value, timeout.at)
    put(result, 'timeouts', timeouts, timeout.at)
    result.entries.delete('timeout')
  }
  const parallel = node.entries.get('maxConcurrentRequests')
  if (parallel) {
    manifests.faults.push(warning(parallel.at, 'maxConcurrentRequests is ignored: no release ever honoured it'))
    result.entries.delete('maxConcurrentRequests')
  }
  const policy = node.entries.get('failurePolicy')
  if (policy) {
    const text = policy.value.kind === 'scalar' ? String(policy.value.value) : ''
    const mode = DRAFT_FAILURE_POLICIES[text]
    const hint = 'write failureHandling: {partialFailureMode: ...}'
    if (mode === undefined) {
      const names = Object.keys(DRAFT_FAILURE_POLICIES).join(', ')
      manifests.faults.push(fileError(policy.value.at, `expected one of ${names}, found "${text}"`, hint))
    } else {
      manifests.faults.push(warning(policy.at, `failurePolicy is read as partialFailureMode: ${mode}`, hint))
      const handling = map(policy.at, getMap(node, 'failureHandling')?.entries ?? [])
      if (!handling.entries.has('partialFailureMode'))
        put(handling, 'partialFailureMode', scalar(mode, policy.value.at))
      put(result, 'failureHandling', handling, policy.at)
    }
    result.entries.delete('failurePolicy')
  }
  return result
}
