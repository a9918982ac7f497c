/** Puts an entry into a map as the youngest. Where there is no room for another one the oldest gives way: it is returned. */
export function putYoungest<Key, Value>(
  map: Map<Key, Value>,
  key: Key,
  value: Value,
  max = MAX_ENTRIES,
): Value | undefined {
  map.delete(key)
  const [oldest] = map.size >= max ? map : []
  if (oldest) map.delete(oldest[0])
  map.set(key, value)
  return oldest?.[1]
}

/** For what is kept of every user and can be had again. */
const MAX_ENTRIES = 10_000
