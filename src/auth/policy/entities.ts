import { isDeep, isObject } from '../../model/json.ts'
import type { Engine, EntityJson } from './cedar.ts'
import { uidOf, uidText } from './entity.ts'

/** The entities of the configuration (`entitiesJson`), by `uidText`. */
export type Entities = ReadonlyMap<string, EntityJson>

const DEEPEST = 20

/** Throws an `Error` that says what is wrong. */
export function readEntities(text: string | undefined, engine: Engine): Entities {
  const entities = new Map<string, EntityJson>()
  if (text === undefined || text.trim() === '') return entities
  const list = JSON.parse(text) as unknown
  if (!Array.isArray(list)) throw new Error('must be a JSON list of entities')
  if (isDeep(list, DEEPEST)) throw new Error(`nested more than ${DEEPEST} deep`)
  const answer = engine.run((cedar) => cedar.checkParseEntities({ entities: list as EntityJson[] }))
  if (answer.type === 'failure') throw new Error(answer.errors.map((error) => error.message).join('; '))
  for (const entity of list as EntityJson[]) entities.set(uidText(uidOf(entity.uid)), entity)
  return entities
}

/** Entities that the values of attributes refer to. */
function referred(value: unknown, into: string[]): void {
  if (Array.isArray(value)) for (const item of value) referred(item, into)
  else if (isObject(value)) {
    if (isObject(value['__entity'])) into.push(uidText(uidOf(value as never)))
    else for (const item of Object.values(value)) referred(item, into)
  }
}

/** The keys themselves and everything above them. */
export function ancestry(entities: Entities, keys: Iterable<string>): Set<string> {
  const all = new Set(keys)
  for (const key of all) for (const parent of entities.get(key)?.parents ?? []) all.add(uidText(uidOf(parent)))
  return all
}

/** The configured entities that can be reached from these keys, by hierarchy or by attributes. */
export function reachable(entities: Entities, keys: Iterable<string>): EntityJson[] {
  const found: EntityJson[] = []
  const seen = new Set(keys)
  for (const key of seen) {
    const entity = entities.get(key)
    if (!entity) continue
    found.push(entity)
    const next: string[] = entity.parents.map((parent) => uidText(uidOf(parent)))
    referred(entity.attrs, next)
    referred(entity.tags, next)
    for (const one of next) seen.add(one)
  }
  return found
}
