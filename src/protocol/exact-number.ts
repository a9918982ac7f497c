const MINUS = 45
const POINT = 46
const ZERO = 48

/** Decimals of so many significant digits come back from a double of the normal range as they were. */
const MOST_SAFE_DIGITS = 15
/** JavaScript never prints more. */
const MOST_PRINTED_DIGITS = 17
const LEAST_NORMAL = 2.3e-308

/**
 * Whether JavaScript prints this JSON number as the same number, when it has read it as `value`. False for what is not
 * a number at all. Linear in the length.
 */
export function isExact(token: string, value: number): boolean {
  if (!Number.isFinite(value)) return false
  const exponentAt = token.search(/[eE]/)
  const end = exponentAt === -1 ? token.length : exponentAt
  let first = -1
  let last = -1
  let point = end
  for (let at = 0; at < end; at++) {
    const char = token.charCodeAt(at)
    if (char === POINT) point = at
    else if (char !== ZERO && char !== MINUS) {
      if (first === -1) first = at
      last = at
    }
  }
  if (exponentAt === -1 && point === end) {
    // JavaScript prints 10^23 as 1e+23, which a reader that knows integers takes for another number.
    return Math.abs(value) < 1e21 && (first === -1 || String(value) === token)
  }
  if (first === -1) return true
  const count = last - first + (first < point && point < last ? 0 : 1)
  if (count <= MOST_SAFE_DIGITS && Math.abs(value) >= LEAST_NORMAL) return true
  if (count > MOST_PRINTED_DIGITS) return false
  const digits = token.slice(first, last + 1).replace('.', '')
  const exponent = point - first - (first < point ? 1 : 0) + (exponentAt === -1 ? 0 : Number(token.slice(end + 1)))
  return Math.abs(value).toExponential() === scientific(digits, exponent)
}

/** As `toExponential` writes it. */
function scientific(digits: string, exponent: number): string {
  const mantissa = digits.length === 1 ? digits : `${digits.slice(0, 1)}.${digits.slice(1)}`
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${Math.abs(exponent)}`
}
