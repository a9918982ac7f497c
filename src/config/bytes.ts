/** `64Mi`, `8MiB`, `10MB`, `512`, `1.5Gi`. */
export const BYTES = /^([0-9]+(?:\.[0-9]+)?)\s?([kKMGT]i?)?B?$/u

const FACTORS: Readonly<Record<string, number>> = {
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
}

/** Whole bytes, or undefined when it is not a size. `Mi` is 2^20, `M` and `MB` are 10^6 (Kubernetes quantities). */
export function parseBytes(size: string | number): number | undefined {
  if (typeof size === 'number') return Number.isSafeInteger(size) && size >= 0 ? size : undefined
  const match = size.length > 32 ? null : BYTES.exec(size)
  if (!match) return undefined
  const factor = match[2] === undefined ? 1 : FACTORS[match[2].replace('K', 'k')]
  const bytes = Math.floor(Number(match[1]) * (factor ?? Number.NaN))
  return Number.isSafeInteger(bytes) ? bytes : undefined
}
