/** Damerau-Levenshtein distance (optimal string alignment), given up beyond `limit`. */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let best = Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + cost)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, (before[j - 2] ?? 0) + 1)
      row.push(best)
    }
    before = previous
    previous = row
  }
  return previous[b.length] ?? limit + 1
}

const LONGEST = 64
/** `conflict_resolution` and `conflictResolution` are one name in two spellings. */
const fold = (name: string): string => name.toLowerCase().replaceAll(/[_\s-]/gu, '')

/** The candidate that was probably meant: a third of the letters may differ, one to three. */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  if (name.length > LONGEST) return undefined
  const folded = fold(name)
  let best: string | undefined
  // Of a single letter nothing would be left.
  const limit = folded.length < 2 ? 0 : Math.max(1, Math.min(3, Math.floor(folded.length / 3)))
  let bestDistance = limit + 1
  for (const candidate of candidates) {
    const far = distance(folded, fold(candidate), bestDistance)
    if (far < bestDistance) {
      best = candidate
      bestDistance = far
    }
  }
  return best
}

/** `did you mean "x"?`, when something is near. */
export function didYouMean(name: string, candidates: Iterable<string>): string | undefined {
  const best = nearest(name, candidates)
  return best === undefined ? undefined : `did you mean "${best}"?`
}

const SHOWN = 12

/** `did you mean "x"?`, else the names there are. */
export function suggest(name: string, candidates: Iterable<string>): string | undefined {
  const all = [...candidates]
  const near = didYouMean(name, all)
  if (near !== undefined) return near
  if (all.length === 0) return undefined
  const more = all.length > SHOWN ? `, and ${all.length - SHOWN} more` : ''
  return `there is ${all
    .slice(0, SHOWN)
    .map((one) => `"${one}"`)
    .join(', ')}${more}`
}
