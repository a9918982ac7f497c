import { asMap, get, getMap, getString, type Located, type LocatedMap } from '../positions.ts'
import { nearest } from '../../model/nearest.ts'
import { SECTIONS } from '../schema.ts'

export type Dialect = 'manifest' | 'vmcp' | 'snake-case' | 'client'

/** Keys that other programs' files carry too: they alone prove nothing. */
const COMMON_KEYS = new Set(['name', 'metadata', 'tls', 'audit', 'telemetry'])
const OWN_KEYS = SECTIONS.filter((section) => !COMMON_KEYS.has(section))
/** Written only by ToolHive v0.6.11. */
const SNAKE_KEYS = ['group', 'incoming_auth', 'outgoing_auth', 'composite_tools', 'composite_tool_refs']

/** The maps of servers that clients keep, and where. */
const SERVER_MAPS = [
  ['mcpServers'],
  ['servers'],
  ['context_servers'],
  ['mcp', 'servers'],
  ['mcp', 'mcpServers'],
] as const

/** What would have been understood, for people. */
export const RECOGNISED =
  'a vmcp configuration (backends, aggregation, ...), a client file (mcpServers, servers, context_servers), ' +
  'or manifests of toolhive.stacklok.dev'

/**
 * Tells a document's dialect by what it contains. `insist`: the file was named by the user,
 * so a map whose keys are nearly right is taken for a configuration with typing errors.
 */
export function recognise(document: Located, insist: boolean): Dialect | undefined {
  const root = asMap(document)
  if (!root) return undefined
  if (getString(root, 'apiVersion') !== undefined && getString(root, 'kind') !== undefined) return 'manifest'
  if (isSnakeCase(root)) return 'snake-case'
  if (OWN_KEYS.some((key) => root.entries.has(key))) return 'vmcp'
  if (serverMap(root)) return 'client'
  if (insist && [...root.entries.keys()].some((key) => nearest(key, OWN_KEYS) !== undefined)) return 'vmcp'
  return undefined
}

function isSnakeCase(root: LocatedMap): boolean {
  const has = (key: string) => root.entries.has(key)
  if (has('incomingAuth') || has('outgoingAuth') || has('groupRef') || has('compositeTools')) return false
  return (
    SNAKE_KEYS.some(has) ||
    get(getMap(root, 'aggregation'), 'conflict_resolution') !== undefined ||
    get(getMap(root, 'operational'), 'failure_handling') !== undefined
  )
}

/** The map of servers of a client file, and the path of keys to it. */
export function serverMap(root: LocatedMap): { path: readonly string[]; servers: LocatedMap } | undefined {
  for (const path of SERVER_MAPS) {
    let node: Located | undefined = root
    for (const key of path) node = get(node, key)
    const servers = asMap(node)
    if (servers) return { path, servers }
  }
  return undefined
}
