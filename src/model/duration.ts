/** Go's duration syntax: `30s`, `1h30m`, `1.5s`, `250ms`. */
export const DURATION = /^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$/u

const MILLISECONDS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
}

/** Milliseconds, or undefined when the text is not a duration. */
export function parseDuration(text: string): number | undefined {
  // Beyond this length a text is not a duration anybody wrote; the pattern is linear, but the sum is not worth it.
  if (text.length > 64 || !DURATION.test(text)) return undefined
  let total = 0
  for (const [, amount, unit] of text.matchAll(/([0-9.]+)(ns|us|µs|ms|s|m|h)/gu)) {
    total += Number(amount) * (MILLISECONDS[unit ?? ''] ?? Number.NaN)
  }
  return total
}
