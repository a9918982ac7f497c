import type { JsonObject } from '../../model/json.ts'
import type { Client } from '../clients.ts'
import { type Entry, fingerprint, isOff } from './entry.ts'

/** One server of the new file. */
export interface Merged {
  name: string
  definition: JsonObject
  /** Everyone who has it. */
  clients: Client[]
}

export type Servers = ReadonlyMap<string, JsonObject>

/**
 * Joins the entries of all clients. Equal ones appear once, switched off only if they are so everywhere.
 * Different ones of one name get the client's suffix; the one that `existing` holds under the name keeps it, so that
 * names do not move from run to run.
 */
export function merge(entries: readonly Entry[], existing: Servers): Merged[] {
  const byName = Map.groupBy(entries, ({ name }) => name)
  const taken = new Set(byName.keys())
  return [...byName].flatMap(([name, namesakes]) => {
    const variants = [...Map.groupBy(namesakes, ({ definition }) => fingerprint(definition))]
    const held = existing.get(name)
    return variants.flatMap(([print, same]) => {
      const chosen = same.find(({ definition }) => !isOff(definition)) ?? same[0]
      if (!chosen) return []
      const keepsName = variants.length === 1 || (held !== undefined && fingerprint(held) === print)
      const shown = keepsName ? name : free(`${name}-${chosen.client.id}`, taken)
      return [{ name: shown, definition: chosen.definition, clients: same.map(({ client }) => client) }]
    })
  })
}

function free(wanted: string, taken: Set<string>): string {
  let name = wanted
  for (let attempt = 2; taken.has(name); attempt++) name = `${wanted}-${attempt}`
  taken.add(name)
  return name
}
