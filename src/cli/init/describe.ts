import type { JsonObject } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import { plain } from '../terminal.ts'
import { urlOf } from './entry.ts'

const HIDDEN = '…'

/** What a server is, for people: its command or address and the names, never the values, of what it is given. */
export function describe(definition: JsonObject): string {
  const url = urlOf(definition)
  const target = url === undefined ? commandLine(definition['command'], definition['args']) : address(url)
  const given = (['env', 'headers'] as const).flatMap((key) => {
    const value = definition[key]
    const names = isObject(value) ? Object.keys(value) : []
    return names.length > 0 ? [`(${key} ${names.join(', ')})`] : []
  })
  return plain([target, ...given].join(' '))
}

/** Scheme, host and path, and the names of the query. */
export function address(text: string): string {
  const [beforeFragment = ''] = text.split('#')
  const [base = '', ...queries] = beforeFragment.split('?')
  const names = queries
    .join('&')
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => (pair.includes('=') ? `${pair.split('=')[0]}=${HIDDEN}` : HIDDEN))
  const shown = withoutDefaults(base)
    // Up to the last @ before the path: a password may hold one.
    .replace(/^([^/]*\/\/)[^/]*@/u, `$1${HIDDEN}@`)
    .split('/')
    .map((part) => (looksSecret(part) ? HIDDEN : part))
    .join('/')
  return names.length === 0 ? shown : `${shown}?${names.join('&')}`
}

/** Flags after which a package, a module or another flag follows, not a value to hide. */
const OPEN_FLAGS = new Set([
  '-y',
  '--yes',
  '-m',
  '-i',
  '--interactive',
  '--rm',
  '--init',
  '-e',
  '--env',
  '-c',
  '--',
  '-q',
])
const FLAG = /^(?:-[A-Za-z]|--[A-Za-z][\w-]*|--)$/u
const ASSIGNMENT = /^([-\w.]+)=/u
const HARMLESS = /^[\w@.:/\\~+,$(){}…-]*$/u

/** People pass keys as arguments: what may be a value is hidden, what reads like a program, package or path is not. */
export function commandLine(command: unknown, args: unknown): string {
  return shownWords([command, ...(Array.isArray(args) ? args : [])].filter((word) => typeof word === 'string'))
}

function shownWords(words: readonly string[]): string {
  let afterFlag = false
  return words
    .map((word) => {
      const hidden = afterFlag && !FLAG.test(word)
      afterFlag = FLAG.test(word) && !OPEN_FLAGS.has(word)
      if (hidden) return HIDDEN
      return /\s/u.test(word) ? shownWords(wordsOfLine(word)) : shownWord(word)
    })
    .join(' ')
}

/** A shell's line given as one argument: what stands in quotes is a value. */
const wordsOfLine = (line: string): string[] =>
  line
    .replaceAll(/"[^"]*"|'[^']*'/gu, HIDDEN)
    .split(/\s+/u)
    .filter((word) => word !== '')

function shownWord(word: string): string {
  if (/^\w+:\/\//u.test(word)) return address(word)
  const [, name] = ASSIGNMENT.exec(word) ?? []
  if (name !== undefined) return `${name}=${HIDDEN}`
  const shown = withoutDefaults(word)
  const readable = shown.startsWith('-') ? FLAG.test(shown) : HARMLESS.test(shown) && !looksSecret(shown)
  return readable ? shown : HIDDEN
}

/** The default of a reference is a value. */
const withoutDefaults = (text: string): string => text.replaceAll(/\$\{([^}:]*):-[^}]*\}/gu, `\${$1:-${HIDDEN}}`)

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/iu

/** Holds a long run of letters and digits mixed: a key, a token or an id rather than a name. */
const looksSecret = (text: string): boolean =>
  UUID.test(text) || (text.match(/[A-Za-z0-9]{16,}/gu) ?? []).some((run) => /\d/u.test(run) && /[A-Za-z]/u.test(run))
