import type { JsonObject } from '../../model/json.ts'
import { canonical, fingerprint, isOff } from './entry.ts'
import type { Merged, Servers } from './merge.ts'

export interface PlannedServer {
  name: string
  definition: JsonObject
  /** `kept`: only the existing file has it. `same`: it has this one too. */
  change: 'added' | 'changed' | 'same' | 'kept'
  /** Keys that differ, of a server that is `changed`. */
  keys: string[]
  /** Titles of the clients it comes from. */
  clients: string[]
}

/**
 * What the file will hold. An existing server stays as its file writes it while it is the same server,
 * and what is switched off there stays off. Nothing is removed.
 */
export function plan(merged: readonly Merged[], existing: Servers): PlannedServer[] {
  const found = new Map(merged.map((server) => [server.name, server]))
  const present = [...existing].map(([name, held]): PlannedServer => {
    const server = found.get(name)
    if (!server) return { name, definition: held, change: 'kept', keys: [], clients: [] }
    const clients = titles(server)
    const off = isOff(held) || isOff(server.definition)
    const wanted = fingerprint(held) === fingerprint(server.definition) ? held : server.definition
    const definition = off && !isOff(wanted) ? { ...wanted, disabled: true } : wanted
    const keys = differing(held, definition)
    return { name, definition, change: keys.length > 0 ? 'changed' : 'same', keys, clients }
  })
  const added = merged
    .filter(({ name }) => !existing.has(name))
    .map((server): PlannedServer => {
      const { name, definition } = server
      return { name, definition, change: 'added', keys: [], clients: titles(server) }
    })
  return [...present, ...added]
}

const titles = ({ clients }: Merged): string[] => [...new Set(clients.map(({ title }) => title))]

const differing = (before: JsonObject, after: JsonObject): string[] =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (key) => canonical(before[key]) !== canonical(after[key]),
  )
