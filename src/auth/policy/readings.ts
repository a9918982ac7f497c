/** Nothing in these can be read in two ways. */
const AMBIGUOUS = /%|\\|(?:^|[:/])\.|^[^:/?#A-Z]*[A-Z]/

/** How often a URI is decoded: somebody on its way and its owner may each do it. */
const MAX_DECODED = 2

/**
 * What else a backend could take a URI for (RFC 3986 section 6.2.2): without dot segments, of the path and of all that
 * follows the scheme, with the letters that need no encoding decoded, and with the scheme in small letters. Where dot
 * segments come to light, encoded slashes and backslashes count as slashes. Absent: it is encoded so often that nobody
 * can tell.
 */
export function otherReadings(uri: string): readonly string[] | undefined {
  if (!AMBIGUOUS.test(uri)) return []
  const readings = new Set<string>()
  const normal = smallScheme(decodeUnreserved(uri))
  readings.add(normal)
  let text = normal
  for (let times = 0; ; times++) {
    for (const reading of withoutDots(text.replaceAll('\\', '/'))) readings.add(reading)
    const decoded = decodeStructure(text)
    if (decoded === text) break
    if (times === MAX_DECODED) return undefined
    text = decoded
  }
  readings.delete(uri)
  return [...readings]
}

const smallScheme = (uri: string): string => uri.replace(/^[^:/?#]*:/, (scheme) => scheme.toLowerCase())

/** RFC 3986 section 2.3. */
function decodeUnreserved(uri: string): string {
  return uri.replace(/%(?:4[1-9A-F]|5[0-9A]|6[1-9A-F]|7[0-9A]|3[0-9]|2[DE]|5F|7E)/gi, decoded)
}

/** Dots, slashes, backslashes, and percent signs that encode what is encoded again. */
function decodeStructure(uri: string): string {
  return uri.replace(/%(?:2E|2F|5C|25(?=[0-9A-F]{2}))/gi, decoded)
}

const decoded = (triplet: string): string => String.fromCharCode(Number.parseInt(triplet.slice(1), 16))

/** The URI after its dot segments were removed, as far as there are any: wherever its path may begin and end. */
function withoutDots(uri: string): string[] {
  const scheme = /^[^:/?#]*:(?:\/\/)?/.exec(uri)?.[0] ?? ''
  const from = scheme.length
  const authority = scheme.endsWith('//') ? uri.slice(from).search(/[/?#]|$/) : 0
  const query = uri.search(/[?#]/)
  const end = query === -1 ? uri.length : query
  const places: [from: number, to: number][] = [
    [from, uri.length],
    [from, end],
    [from + authority, end],
  ]
  return places.flatMap(([from, to]) => {
    const segments = uri.slice(from, to).split('/')
    if (!segments.some(isDots)) return []
    // Where paths are files, several slashes are one, and a segment that is not there has no parent.
    const filled = segments.filter((segment, index) => index === 0 || segment !== '')
    return [segments, filled].map((path) => uri.slice(0, from) + resolve(path) + uri.slice(to))
  })
}

const isDots = (segment: string): boolean => segment === '.' || segment === '..'

/** RFC 3986 section 5.2.4. */
function resolve(segments: readonly string[]): string {
  const kept: string[] = []
  for (const segment of segments) {
    if (!isDots(segment)) kept.push(segment)
    // The root has no parent.
    else if (segment === '..' && (kept.length > 1 || kept[0] !== '')) kept.pop()
  }
  if (isDots(segments.at(-1) ?? '')) kept.push('')
  return kept.join('/')
}
