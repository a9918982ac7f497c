import type { JsonValue } from '../../model/json.ts'
import { characters, describe, toText, typeOf } from './values.ts'

const VERB = /%([-+ 0]*)(\d*)(?:\.(\d*))?([^])?/gu
const WIDEST = 1000

/** What formatting is given: how a value is shown, and how it fails. */
interface Means {
  readonly show: (value: JsonValue) => string
  readonly fail: (message: string) => never
}

/** Go's `fmt.Sprintf` for `%s %d %v %q %t %f %%`. Throws what its means throw. */
export function printf(format: string, values: readonly JsonValue[], means: Means): string {
  const { fail } = means
  let used = 0
  const text = format.replace(
    VERB,
    (whole: string, flags: string, width: string, precision: string | undefined, verb) => {
      if (verb === '%') return '%'
      if (Number(width) > WIDEST || Number(precision ?? 0) > 100) fail(`printf: ${whole} is too wide`)
      const make = VERBS[String(verb)]
      if (!make) return fail(`printf: ${whole} is none of %s %d %v %q %t %f %%`)
      if (used >= values.length) fail(`printf: there is no argument for ${whole}`)
      const value = values[used++] ?? null
      return pad(
        make(value, flags, precision === undefined ? undefined : Number(precision), means),
        flags,
        Number(width),
        verb,
      )
    },
  )
  if (used < values.length) fail(`printf: ${values.length - used} more arguments than the format uses`)
  return text
}

type Make = (value: JsonValue, flags: string, precision: number | undefined, means: Means) => string

const cut = (text: string, precision: number | undefined): string =>
  precision === undefined
    ? text
    : characters(text.slice(0, precision * 2))
        .slice(0, precision)
        .join('')

const VERBS: Readonly<Record<string, Make | undefined>> = {
  s: (value, _flags, precision, { show }) => cut(show(value), precision),
  v: (value, flags, _precision, { show }) => (typeOf(value) === 'number' ? sign(toText(value), flags) : show(value)),
  q: (value, _flags, precision, { show }) => JSON.stringify(cut(show(value), precision)),
  t: (value, _flags, _precision, { fail }) =>
    typeof value === 'boolean' ? String(value) : fail(`printf: %t needs a boolean, got ${describe(value)}`),
  d: (value, flags, _precision, { fail }) => {
    if (typeOf(value) !== 'number') fail(`printf: %d needs a whole number, got ${describe(value)}`)
    const text = typeof value === 'number' && Number.isInteger(value) ? BigInt(value).toString() : toText(value)
    if (!/^-?\d+$/.test(text)) fail(`printf: %d needs a whole number, got ${describe(value)}`)
    return sign(text, flags)
  },
  f: (value, flags, precision, { fail }) => {
    if (typeOf(value) !== 'number') fail(`printf: %f needs a number, got ${describe(value)}`)
    const number = Number(toText(value))
    if (Math.abs(number) >= 1e21) fail(`printf: %f cannot write ${describe(value)}`)
    return sign(number.toFixed(precision ?? 6), flags)
  },
}

function sign(text: string, flags: string): string {
  if (text.startsWith('-')) return text
  if (flags.includes('+')) return `+${text}`
  return flags.includes(' ') ? ` ${text}` : text
}

function pad(text: string, flags: string, width: number, verb: string): string {
  if (text.length >= 2 * width) return text
  const short = width - characters(text).length
  if (short <= 0) return text
  if (flags.includes('-')) return text + ' '.repeat(short)
  if (!flags.includes('0') || (verb !== 'd' && verb !== 'f')) return ' '.repeat(short) + text
  const digits = /^[+ -]?/.exec(text)?.[0] ?? ''
  return digits + '0'.repeat(short) + text.slice(digits.length)
}
