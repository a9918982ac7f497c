import { createHash } from 'node:crypto'
import type { NativeLists } from '../../model/backend.ts'
import type { Conflict, ListKind } from '../../model/catalogue.ts'
import type { BackendId } from '../../model/ids.ts'
import { isObject, type JsonObject } from '../../model/json.ts'
import { definitionFault } from '../definitions.ts'
import { KINDS, type Kind } from '../kinds.ts'
import { canonicalJson } from '../../model/canonical-json.ts'

/** What can be pinned: an entry of a list, or what a server says of itself as a whole. */
export type PinKind = Conflict['kind'] | 'instructions'

/** One definition as it stood, by its hash. */
export interface Pin {
  backend: BackendId
  kind: PinKind
  /** As its backend knows it: name, URI or URI template; empty for instructions. */
  name: string
  /** SHA-256 in hex. */
  hash: string
}

/** What changes while nothing has changed, besides `_meta` and `icons`. */
const VOLATILE: Readonly<Record<ListKind, readonly string[]>> = {
  tools: [],
  prompts: [],
  resources: ['size'],
  templates: [],
}

/**
 * What is pinned of a definition: everything, fields that nobody knows yet included, but for `_meta` and `icons` (models do not
 * read them, and servers keep build numbers and addresses that expire in them) and, of resources and templates, their size and
 * `annotations.lastModified`.
 */
function lasting(list: ListKind, definition: JsonObject): JsonObject {
  const rest = without(definition, ['_meta', 'icons', ...VOLATILE[list]])
  const { annotations } = rest
  if (list === 'tools' || list === 'prompts' || !isObject(annotations)) return rest
  const kept = without(annotations, ['lastModified'])
  // Annotated with nothing else, it has the pin that it had before it was ever modified.
  return Object.keys(kept).length === 0 ? without(rest, ['annotations']) : { ...rest, annotations: kept }
}

function without(object: JsonObject, fields: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([field]) => !fields.includes(field)))
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Definitions are never edited in place, so what was once worked out of one holds. */
const known: Readonly<Record<ListKind, WeakMap<JsonObject, string | undefined>>> = {
  tools: new WeakMap(),
  prompts: new WeakMap(),
  resources: new WeakMap(),
  templates: new WeakMap(),
}

/** SHA-256 of what lasts of a definition. `undefined`: no client is shown it, whatever a lock says. */
export function hashOf(list: ListKind, definition: JsonObject): string | undefined {
  const cache = known[list]
  if (!cache.has(definition)) {
    const broken = definitionFault(list, definition) !== undefined
    cache.set(definition, broken ? undefined : sha256(canonicalJson(lasting(list, definition))))
  }
  return cache.get(definition)
}

/** SHA-256 of a server's instructions. `undefined`: there are none. */
export function hashOfInstructions({ instructions }: NativeLists): string | undefined {
  return typeof instructions === 'string' && instructions.trim() !== ''
    ? sha256(canonicalJson(instructions))
    : undefined
}

/** Everything that one backend offers, pinned. Of entries that it lists twice the first one counts, as in the catalogue. */
export function pinsOf(backend: BackendId, lists: NativeLists): Pin[] {
  const instructions = hashOfInstructions(lists)
  const pins: Pin[] =
    instructions === undefined ? [] : [{ backend, kind: 'instructions', name: '', hash: instructions }]
  for (const { list, kind, key } of Object.values<Kind>(KINDS)) {
    const seen = new Set<string>()
    for (const definition of lists[list]) {
      const hash = hashOf(list, definition)
      const name = definition[key]
      if (hash === undefined || typeof name !== 'string' || seen.has(name)) continue
      seen.add(name)
      pins.push({ backend, kind, name, hash })
    }
  }
  return pins
}
