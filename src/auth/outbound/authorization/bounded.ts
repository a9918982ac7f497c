/** Beyond this many owners the one whose entry is oldest is forgotten: everything here can be had again. */
const MAX_OWNERS = 10_000

/** Puts an entry into a map as the youngest. */
export function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key)
  const oldest = map.size >= MAX_OWNERS ? map.keys().next().value : undefined
  if (oldest !== undefined) map.delete(oldest)
  map.set(key, value)
}
