/**
 * Values that know where they were written. Every reader turns its dialect into such a tree and moves subtrees about;
 * the positions travel along, so a fault found after any conversion still points at the author's own line.
 */

export interface Position {
  file: string
  /** 1-based. */
  line: number
  /** 1-based, in UTF-16 units as editors count. */
  column: number
  /** The author's own spelling of the way to the value: `aggregation.tools[0].filter`. Empty at the root. */
  path: string
}

export type Scalar = string | number | boolean | null

export interface LocatedScalar {
  kind: 'scalar'
  value: Scalar
  /** As written: `0123` stays `0123`. */
  text: string
  at: Position
}

export interface LocatedList {
  kind: 'list'
  items: Located[]
  at: Position
}

export interface LocatedEntry {
  /** Where the key stands. */
  at: Position
  value: Located
}

export interface LocatedMap {
  kind: 'map'
  entries: Map<string, LocatedEntry>
  at: Position
}

export type Located = LocatedScalar | LocatedList | LocatedMap

export const scalar = (value: Scalar, at: Position): LocatedScalar => ({
  kind: 'scalar',
  value,
  text: String(value),
  at,
})
export const list = (items: Located[], at: Position): LocatedList => ({ kind: 'list', items, at })
export const map = (at: Position, entries: Iterable<[string, LocatedEntry]> = []): LocatedMap => ({
  kind: 'map',
  entries: new Map(entries),
  at,
})

/** A value without a place of its own, put where the value it was derived from stands. */
export function located(value: unknown, at: Position): Located {
  if (Array.isArray(value)) {
    return list(
      value.map((item) => located(item, at)),
      at,
    )
  }
  if (typeof value === 'object' && value !== null) {
    return map(
      at,
      Object.entries(value).map(([key, inner]) => [key, { at, value: located(inner, at) }]),
    )
  }
  return scalar(value as Scalar, at)
}

export function put(target: LocatedMap, key: string, value: Located, at: Position = value.at): void {
  target.entries.set(key, { at, value })
}

export const get = (node: Located | undefined, key: string): Located | undefined =>
  node?.kind === 'map' ? node.entries.get(key)?.value : undefined

export const getMap = (node: Located | undefined, key: string): LocatedMap | undefined => asMap(get(node, key))

export const asMap = (node: Located | undefined): LocatedMap | undefined => (node?.kind === 'map' ? node : undefined)

export function getString(node: Located | undefined, key: string): string | undefined {
  return asString(get(node, key))
}

export const asString = (node: Located | undefined): string | undefined =>
  node?.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined

/** Items of a list under a key; empty when it is absent or something else. */
export function getItems(node: Located | undefined, key: string): readonly Located[] {
  const value = get(node, key)
  return value?.kind === 'list' ? value.items : []
}

export const getEntries = (node: Located | undefined, key: string): readonly [string, LocatedEntry][] => [
  ...(getMap(node, key)?.entries ?? []),
]

/** The bare JavaScript value. Parsers refuse `__proto__` keys, so plain objects are safe to fill. */
export function plain(node: Located): unknown {
  switch (node.kind) {
    case 'scalar':
      return node.value
    case 'list':
      return node.items.map(plain)
    case 'map':
      return Object.fromEntries([...node.entries].map(([key, entry]) => [key, plain(entry.value)]))
  }
}

export type Step = string | number

/** Where the value at `steps` stands; the nearest ancestor when it is absent. */
export function positionOf(root: Located, steps: readonly PropertyKey[]): Position {
  let node = root
  for (const step of steps) {
    const next =
      node.kind === 'map'
        ? node.entries.get(String(step))?.value
        : node.kind === 'list'
          ? node.items[Number(step)]
          : undefined
    if (!next) break
    node = next
  }
  return node.at
}

/** Where the key that leads to `steps` stands; the nearest ancestor when it is absent. */
export function keyPositionOf(root: Located, steps: readonly PropertyKey[]): Position {
  let node = root
  let at = root.at
  for (const step of steps) {
    if (node.kind === 'map') {
      const entry = node.entries.get(String(step))
      if (!entry) break
      at = entry.at
      node = entry.value
    } else if (node.kind === 'list') {
      const item = node.items[Number(step)]
      if (!item) break
      at = item.at
      node = item
    } else break
  }
  return at
}

const PLAIN_KEY = /^[\w$@/-]+$/u

/** The path one step further down: `a.b`, `a[0]`, `a["b.c"]`. */
export function joinPath(path: string, step: Step): string {
  if (typeof step === 'number') return `${path}[${step}]`
  if (!PLAIN_KEY.test(step)) return `${path}[${JSON.stringify(step)}]`
  return path === '' ? step : `${path}.${step}`
}

/** Turns offsets of one text into lines and columns. */
export function lineIndex(text: string): (offset: number) => { line: number; column: number } {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return (offset) => {
    let low = 0
    let high = starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 }
  }
}
