const LONGEST = 40

/** Letters that must be changed, added, dropped or swapped to get from one to the other. */
function distance(a: string, b: string): number {
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let best = Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + cost)
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, (before[j - 2] ?? best) + 1)
      row.push(best)
    }
    before = previous
    previous = row
  }
  return previous[b.length] ?? Number.POSITIVE_INFINITY
}

const fold = (name: string): string => name.toLowerCase().replaceAll(/[_-]/gu, '')

/** The candidate that was probably meant, if one is near: a third of the letters may differ. */
export function nearest(name: string, candidates: readonly string[]): string | undefined {
  if (name.length > LONGEST) return undefined
  const folded = fold(name)
  let best: string | undefined
  // Of a single letter nothing would be left.
  let bestDistance = folded.length < 2 ? 1 : Math.max(1, Math.floor(folded.length / 3)) + 1
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - name.length) > LONGEST / 2) continue
    const far = distance(folded, fold(candidate))
    if (far < bestDistance) {
      best = candidate
      bestDistance = far
    }
  }
  return best
}
