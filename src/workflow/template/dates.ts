/** Names for layouts, as Go's `time` package has them, and the usual ISO ones. */
const NAMED: Readonly<Record<string, string>> = {
  ISO8601: '2006-01-02T15:04:05.000Z07:00',
  RFC3339: '2006-01-02T15:04:05Z07:00',
  RFC3339Nano: '2006-01-02T15:04:05.999Z07:00',
  RFC1123: 'Mon, 02 Jan 2006 15:04:05 MST',
  RFC1123Z: 'Mon, 02 Jan 2006 15:04:05 -0700',
  RFC850: 'Monday, 02-Jan-06 15:04:05 MST',
  RFC822: '02 Jan 06 15:04 MST',
  RFC822Z: '02 Jan 06 15:04 -0700',
  ANSIC: 'Mon Jan _2 15:04:05 2006',
  UnixDate: 'Mon Jan _2 15:04:05 MST 2006',
  Kitchen: '3:04PM',
  DateTime: '2006-01-02 15:04:05',
  DateOnly: '2006-01-02',
  TimeOnly: '15:04:05',
}

const MONTHS = 'January February March April May June July August September October November December'.split(' ')
const DAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ')
const two = (value: number): string => String(value).padStart(2, '0')
const hour12 = (date: Date): number => date.getUTCHours() % 12 || 12
const year = (date: Date): string => String(date.getUTCFullYear()).padStart(4, '0')
const month = (date: Date): string => MONTHS[date.getUTCMonth()] ?? ''
const day = (date: Date): string => DAYS[date.getUTCDay()] ?? ''
const dayOfYear = (date: Date): number =>
  Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000) + 1
const milliseconds = (date: Date): string => String(date.getUTCMilliseconds()).padStart(3, '0')

type Parts = Readonly<Record<string, (date: Date) => string>>

/** Go's reference time is Mon Jan 2 15:04:05 MST 2006: each part stands for what it is in it. */
const GO: Parts = {
  '2006': year,
  January: month,
  Jan: (date) => month(date).slice(0, 3),
  Monday: day,
  Mon: (date) => day(date).slice(0, 3),
  MST: () => 'UTC',
  'Z07:00': () => 'Z',
  Z0700: () => 'Z',
  Z07: () => 'Z',
  '-07:00': () => '+00:00',
  '-0700': () => '+0000',
  '-07': () => '+00',
  '002': (date) => String(dayOfYear(date)).padStart(3, '0'),
  '01': (date) => two(date.getUTCMonth() + 1),
  '02': (date) => two(date.getUTCDate()),
  '03': (date) => two(hour12(date)),
  '04': (date) => two(date.getUTCMinutes()),
  '05': (date) => two(date.getUTCSeconds()),
  '06': (date) => two(date.getUTCFullYear() % 100),
  '15': (date) => two(date.getUTCHours()),
  PM: (date) => (date.getUTCHours() < 12 ? 'AM' : 'PM'),
  pm: (date) => (date.getUTCHours() < 12 ? 'am' : 'pm'),
  _2: (date) => String(date.getUTCDate()).padStart(2, ' '),
  '1': (date) => String(date.getUTCMonth() + 1),
  '2': (date) => String(date.getUTCDate()),
  '3': (date) => String(hour12(date)),
  '4': (date) => String(date.getUTCMinutes()),
  '5': (date) => String(date.getUTCSeconds()),
}
const GO_PARTS =
  /[.,]0{1,9}(?!\d)|[.,]9{1,9}(?!\d)|2006|January|Jan|Monday|Mon|MST|Z07:00|Z0700|Z07|-07:00|-0700|-07|002|0[1-6]|15|PM|pm|_2|[1-5]/g

const ISO: Parts = {
  YYYY: year,
  MM: (date) => two(date.getUTCMonth() + 1),
  DD: (date) => two(date.getUTCDate()),
  HH: (date) => two(date.getUTCHours()),
  mm: (date) => two(date.getUTCMinutes()),
  ss: (date) => two(date.getUTCSeconds()),
  SSS: milliseconds,
  Z: () => 'Z',
}
const ISO_PARTS = /YYYY|MM|DD|HH|mm|SSS|ss|Z/g
const IS_ISO = /YYYY|HH|DD|MM|mm/

/** A moment in UTC after a layout: Go's reference time, `YYYY-MM-DDTHH:mm:ss.SSS`, or a name. Undefined: it has no part. */
export function formatDate(at: number, layout: string): string | undefined {
  const date = new Date(at)
  const spelled = Object.hasOwn(NAMED, layout) ? (NAMED[layout] ?? layout) : layout
  const iso = IS_ISO.test(spelled)
  let parts = 0
  const text = spelled.replace(iso ? ISO_PARTS : GO_PARTS, (part) => {
    parts += 1
    if (part.startsWith('.') || part.startsWith(',')) return fraction(date, part)
    return (iso ? ISO : GO)[part]?.(date) ?? part
  })
  return parts === 0 ? undefined : text
}

/** `.000` always has its digits, `.999` drops zeros at the end. */
function fraction(date: Date, part: string): string {
  const digits = milliseconds(date)
    .padEnd(9, '0')
    .slice(0, part.length - 1)
  if (part[1] === '0') return `${part[0]}${digits}`
  const short = digits.replace(/0{1,9}$/, '')
  return short === '' ? '' : `${part[0]}${short}`
}

const MOMENT = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:?\d\d)?)?$/

/** Milliseconds since the epoch of an ISO date or date and time; without a zone it is UTC. */
export function readDate(text: string): number | undefined {
  const match = text.length > 40 ? null : MOMENT.exec(text)
  if (!match) return undefined
  const [years, months, days, hours, minutes, seconds] = match.slice(1, 7).map((part) => Number(part ?? 0))
  const wall = Date.UTC(years ?? 0, (months ?? 1) - 1, days, hours, minutes, seconds)
  const back = new Date(wall)
  // The 30th of February would be a day in March.
  if (back.getUTCMonth() + 1 !== months || back.getUTCDate() !== days || back.getUTCHours() !== hours) return undefined
  if (back.getUTCMinutes() !== minutes || back.getUTCSeconds() !== seconds) return undefined
  const zone = /^([+-])(\d\d):?(\d\d)$/.exec(match[8] ?? '')
  const shift = zone ? (zone[1] === '-' ? -1 : 1) * (Number(zone[2]) * 60 + Number(zone[3])) * 60_000 : 0
  return wall - shift + Number((match[7] ?? '').padEnd(3, '0').slice(0, 3))
}

const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}
const DURATION = /^[+-]?(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h|d))+$/u

/** Milliseconds of `1h30m`, `-24h`, `7d`. */
export function readDuration(text: string): number | undefined {
  if (text.length > 64 || !DURATION.test(text)) return undefined
  let total = 0
  for (const [, amount, unit] of text.matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h|d)/gu)) {
    total += Number(amount) * (UNITS[unit ?? ''] ?? 0)
  }
  return text.startsWith('-') ? -total : total
}
