import { isObject, type JsonObject, type JsonValue } from '../../model/json.ts'

/** What leads from one JSON value to the next: places and what stands there from now on, nothing where nothing does. */
export type Patch = readonly (readonly [path: Path, value?: JsonValue])[]

/** Below this nobody looks for what is the same. */
const DEEPEST = 32

/**
 * What has changed. Objects that both share are not looked into, so that the cost is that of the change, and not of the
 * whole: for values that share whatever has not changed.
 */
export function diff(before: JsonValue, after: JsonValue): Patch {
  const patch: [Path, JsonValue?][] = []
  walk(before, after, [], patch)
  return patch
}

type Path = readonly (string | number)[]

function walk(before: JsonValue | undefined, after: JsonValue, path: Path, patch: [Path, JsonValue?][]): void {
  if (before === after) return
  const isWalked =
    path.length < DEEPEST &&
    (Array.isArray(before)
      ? Array.isArray(after) && walkList(before, after, path, patch)
      : isPlain(before) && isPlain(after) && walkObject(before, after, path, patch))
  if (!isWalked) patch.push([path, after])
}

/** False: it has become another. */
function walkList(before: JsonValue[], after: JsonValue[], path: Path, patch: [Path, JsonValue?][]): boolean {
  if (after.length < before.length) return false
  for (let index = 0; index < after.length; index++) {
    const item = after[index] as JsonValue
    if (before[index] !== item || index >= before.length) walk(before[index], item, [...path, index], patch)
  }
  return true
}

/** False: it has become another. Members keep their order, and what is set anew comes last. */
function walkObject(before: JsonObject, after: JsonObject, path: Path, patch: [Path, JsonValue?][]): boolean {
  const earlier = membersOf(before)
  const now = membersOf(after)
  let kept = 0
  const gone: string[] = []
  for (const key of earlier) {
    if (key === now[kept]) kept++
    else if (Object.hasOwn(after, key) && after[key] !== undefined) return false
    else gone.push(key)
  }
  for (let index = 0; index < now.length; index++) {
    const key = now[index] as string
    const item = after[key] as JsonValue
    if (index >= kept) patch.push([[...path, key], item])
    else if (item !== before[key]) walk(before[key], item, [...path, key], patch)
  }
  for (const key of gone) patch.push([[...path, key]])
  return true
}

function membersOf(value: JsonObject): string[] {
  const members = Object.keys(value)
  return members.some((key) => value[key] === undefined) ? members.filter((key) => value[key] !== undefined) : members
}

/** Numbers that kept their spelling pass for objects. */
const isPlain = (value: JsonValue | undefined): value is JsonObject => isObject(value) && !JSON.isRawJSON(value)

/** Changes `value`, which is returned unless the patch replaces it. Throws when the patch is of something else. */
export function apply(value: JsonValue, patch: Patch): JsonValue {
  let whole = value
  for (const [path, item] of patch) {
    const last = path.at(-1)
    if (last === undefined) {
      if (item === undefined) throw new Error('A patch that leaves nothing')
      whole = item
      continue
    }
    let place: JsonValue | undefined = whole
    for (const key of path.slice(0, -1)) place = at(place, key)
    put(place, last, item)
  }
  return whole
}

function at(place: JsonValue | undefined, key: string | number): JsonValue | undefined {
  if (Array.isArray(place) && typeof key === 'number') return place[key]
  if (isObject(place) && Object.hasOwn(place, key)) return place[key]
  throw new Error('A patch of something else')
}

function put(place: JsonValue | undefined, key: string | number, item: JsonValue | undefined): void {
  if (Array.isArray(place) && typeof key === 'number' && key <= place.length && item !== undefined) place[key] = item
  else if (!isObject(place)) throw new Error('A patch of something else')
  else if (item === undefined) delete place[key]
  // Never by assignment: a member may be called `__proto__`.
  else Object.defineProperty(place, key, { value: item, enumerable: true, writable: true, configurable: true })
}
