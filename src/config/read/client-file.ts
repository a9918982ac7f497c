import { type Fault, fileError, warning } from '../faults.ts'
import { didYouMean, suggest } from '../../model/nearest.ts'
import { HEADER_HINT, isProtocolHeader, protocolHeader } from '../header-names.ts'
import { type Located, type LocatedEntry, type LocatedMap, list, map, put, scalar } from '../positions.ts'
import { found } from '../schema/primitives.ts'
import type { Contribution, Withheld } from './contribution.ts'
import { serverMap } from './recognise.ts'

/** Spellings of the transport in client files. */
const TRANSPORTS: Readonly<Record<string, 'streamable-http' | 'sse' | 'stdio'>> = {
  http: 'streamable-http',
  'streamable-http': 'streamable-http',
  streamableHttp: 'streamable-http',
  streamable_http: 'streamable-http',
  sse: 'sse',
  stdio: 'stdio',
  local: 'stdio',
  remote: 'streamable-http',
}

interface Draft {
  backend: LocatedMap
  entryName: string
  faults: Fault[]
  withheld: Withheld[]
}

type Take = (draft: Draft, entry: LocatedEntry) => void

const copy =
  (key: string): Take =>
  ({ backend }, entry) =>
    put(backend, key, entry.value, entry.at)

const url: Take = ({ backend, faults }, entry) => {
  if (backend.entries.has('url')) faults.push(fileError(entry.at, 'a second URL for the same server'))
  else put(backend, 'url', entry.value, entry.at)
}

const transport: Take = ({ backend, entryName, withheld }, entry) => {
  const { value } = entry
  const known = value.kind === 'scalar' && typeof value.value === 'string' ? TRANSPORTS[value.value] : undefined
  if (known === 'stdio') return
  if (known) put(backend, 'transport', scalar(known, value.at), entry.at)
  else {
    const shown = found(value.kind === 'scalar' ? value.value : {})
    const message = `the transport ${shown} is not one of ${Object.keys(TRANSPORTS).join(', ')}`
    withheld.push({ backend: entryName, at: value.at, message, hint: 'offer the server over stdio, http or sse' })
  }
}

/** Numbers and truth values count as the text that stands there. */
const texts =
  (key: string): Take =>
  ({ backend }, entry) => {
    const { value } = entry
    if (value.kind !== 'map') return put(backend, key, value, entry.at)
    const result = map(value.at)
    for (const [name, inner] of value.entries) {
      const { value: node } = inner
      const textual = node.kind === 'scalar' && node.value !== null && typeof node.value !== 'string'
      put(result, name, textual ? scalar(node.text, node.at) : node, inner.at)
    }
    return put(backend, key, result, entry.at)
  }

/** A program, or Zed's older form `{path, args, env}`. */
const command: Take = (draft, entry) => {
  const { value } = entry
  if (value.kind !== 'map') return copy('command')(draft, entry)
  for (const [key, inner] of value.entries) {
    const take = COMMAND_KEYS[key]
    if (take) take(draft, inner)
    else draft.faults.push(warning(inner.at, `unknown key "${key}"`, suggest(key, Object.keys(COMMAND_KEYS))))
  }
  return undefined
}

const COMMAND_KEYS: Readonly<Record<string, Take>> = { path: copy('command'), args: copy('args'), env: texts('env') }

const enabled: Take = ({ backend, faults }, entry) => {
  const { value } = entry
  if (value.kind !== 'scalar' || typeof value.value !== 'boolean') {
    faults.push(
      fileError(value.at, `expected true or false, found ${found(value.kind === 'scalar' ? value.value : {})}`),
    )
  } else if (!value.value) put(backend, 'disabled', scalar(true, value.at), entry.at)
}

const disabled: Take = (draft, entry) => {
  // `enabled: false` beside `disabled: false` switches off: what is switched off in one place stays off.
  if (!draft.backend.entries.has('disabled')) copy('disabled')(draft, entry)
}

const ignore: Take = () => {}

/** Clients differ in which headers they write themselves: those that the gateway writes are left out. */
const headers: Take = (draft, entry) => {
  texts('headers')(draft, entry)
  const given = draft.backend.entries.get('headers')?.value
  if (given?.kind !== 'map') return
  for (const [name, { at }] of given.entries) {
    if (!isProtocolHeader(name)) continue
    given.entries.delete(name)
    draft.faults.push(warning(at, `${protocolHeader(name)}; it is ignored`, HEADER_HINT))
  }
}

/** Keys of one server, of all the clients together. */
const SERVER_KEYS: Readonly<Record<string, Take>> = {
  enabled,
  disabled,
  type: transport,
  transport,
  url,
  serverUrl: url,
  httpUrl: url,
  command,
  args: copy('args'),
  env: texts('env'),
  headers,
  cwd: copy('cwd'),
  /** Zed: where the entry comes from. */
  source: ignore,
}

/** Beside the servers of a file that holds nothing else. */
const FILE_KEYS = new Set(['inputs', '$schema'])

/**
 * Reads the servers of Claude, Cursor, Windsurf (`mcpServers`), VS Code (`servers`, or `mcp.servers` in its settings)
 * and Zed (`context_servers`). Keys that mean nothing here are warnings.
 */
export function readClientFile(root: LocatedMap): Contribution & { withheld: Withheld[] } {
  const faults: Fault[] = []
  const withheld: Withheld[] = []
  const where = serverMap(root)
  const backends: Located[] = []
  for (const [name, entry] of where?.servers.entries ?? []) {
    if (entry.value.kind !== 'map') {
      faults.push(fileError(entry.value.at, 'expected a map that describes a server'))
      continue
    }
    const backend = map({ ...entry.at })
    put(backend, 'name', scalar(name, entry.at))
    const draft: Draft = { backend, entryName: name, faults, withheld }
    const given = entry.value.entries
    for (const [key, take] of Object.entries(SERVER_KEYS)) {
      const inner = given.get(key)
      if (inner) take(draft, inner)
    }
    for (const [key, inner] of given) {
      if (!Object.hasOwn(SERVER_KEYS, key)) {
        faults.push(warning(inner.at, `unknown key "${key}" is ignored`, didYouMean(key, Object.keys(SERVER_KEYS))))
      }
    }
    backends.push(backend)
  }
  const tree = map(root.at)
  const path = where?.path ?? []
  const at = root.entries.get(path[0] ?? '')?.at ?? root.at
  put(tree, 'backends', list(backends, at), at)
  // Settings of editors are full of other things; a file of servers is not.
  if (path.length === 1 && path[0] !== 'context_servers') {
    for (const [key, entry] of root.entries) {
      if (key !== path[0] && !FILE_KEYS.has(key)) faults.push(warning(entry.at, `unknown key "${key}" is ignored`))
    }
  }
  return { tree, faults, withheld }
}
