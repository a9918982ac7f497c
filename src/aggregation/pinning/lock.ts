import { backendId, type BackendId } from '../../model/ids.ts'
import type { Pin, PinKind } from './pins.ts'

/** What a line of the lock speaks of. */
export type Pinned = Omit<Pin, 'hash'>

interface LockEntry extends Pinned {
  /** Sorted. More than one: the server shows other definitions to clients that can do more. */
  hashes: readonly string[]
}

/** Approved definitions, by `pinKey`. */
export type Lock = ReadonlyMap<string, LockEntry>

export const pinKey = ({ backend, kind, name }: Pinned): string => JSON.stringify([backend, kind, name])

export function lockOf(pins: Iterable<Pin>): Lock {
  const lock = new Map<string, LockEntry>()
  for (const { backend, kind, name, hash } of pins) {
    const key = pinKey({ backend, kind, name })
    const hashes = new Set([...(lock.get(key)?.hashes ?? []), hash])
    lock.set(key, { backend, kind, name, hashes: [...hashes].sort() })
  }
  return lock
}

const VERSION = 'version 1'
const HEADER = [
  '# What the servers offered when `vmcp lock` last ran: SHA-256 of each definition.',
  '# Read the changes before you commit them; `vmcp serve --frozen` serves nothing else.',
  VERSION,
]

/** In the order of the file. */
const ORDER: readonly PinKind[] = ['instructions', 'tool', 'prompt', 'resource', 'template']

/**
 * The text of `vmcp.lock`: sorted, one line for each hash, `BACKEND KIND NAME sha256:HEX` (instructions have no name). Names
 * with anything but visible ASCII in them are JSON strings with escapes, so that nothing in the file can pass for something else.
 */
export function renderLock(lock: Lock): string {
  const lines = [...lock.values()].sort(byPlace).flatMap(({ backend, kind, name, hashes }) => {
    const words = [word(backend), kind, ...(kind === 'instructions' ? [] : [word(name)])]
    return hashes.map((hash) => `${words.join(' ')} sha256:${hash}`)
  })
  return `${[...HEADER, ...lines].join('\n')}\n`
}

const byPlace = (a: Pinned, b: Pinned): number =>
  compare(a.backend, b.backend) || ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) || compare(a.name, b.name)

/** By UTF-16 units: the same on every machine, whatever its language. */
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const BARE = /^[A-Za-z0-9_@./~][\u0021-\u007e]*$/

function word(text: string): string {
  if (BARE.test(text)) return text
  const escape = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
  return JSON.stringify(text).replaceAll(/[^\u0020-\u007e]/g, escape)
}

const WORD = String.raw`(?:"(?:[^"\\]|\\.)*"|[A-Za-z0-9_@./~][\u0021-\u007e]*)`
const LINE = new RegExp(
  `^(${WORD}) (?:(instructions)|(tool|prompt|resource|template) (${WORD})) sha256:([0-9a-f]{64})$`,
)

/** Reads the text of a lock. Anything that `renderLock` would not have written is a fault, with its line. */
export function parseLock(text: string): { lock: Lock; fault?: never } | { fault: string; lock?: never } {
  const pins: Pin[] = []
  const seen = new Set<string>()
  let versioned = false
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const refuse = (why: string) => ({ fault: `line ${index + 1}: ${why}` })
    if (line === '' || line.startsWith('#')) continue
    if (!versioned) {
      if (line !== VERSION) return refuse(`expected "${VERSION}"`)
      versioned = true
      continue
    }
    const pin = readLine(line)
    if (!pin) return refuse('expected BACKEND KIND NAME sha256:HEX')
    if (seen.has(line)) return refuse('it stands there twice')
    seen.add(line)
    pins.push(pin)
  }
  return versioned ? { lock: lockOf(pins) } : { fault: `it has no "${VERSION}"` }
}

function readLine(line: string): Pin | undefined {
  const [, backend = '', instructions, entry, name, hash = ''] = LINE.exec(line) ?? []
  const [owner, native] = [unquoted(backend), name === undefined ? '' : unquoted(name)]
  const kind = (instructions ?? entry) as PinKind | undefined
  return kind && owner !== undefined && native !== undefined
    ? { backend: backendId(owner), kind, name: native, hash }
    : undefined
}

/** `undefined`: not as `word` writes it. Two spellings of one name could hide a line from its reader. */
function unquoted(text: string): string | undefined {
  if (!text.startsWith('"')) return text
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'string' && word(value) === text ? value : undefined
  } catch {
    return undefined
  }
}

export interface LockDiff {
  added: readonly Pinned[]
  changed: readonly Pinned[]
  gone: readonly Pinned[]
}

/** What differs between what was approved and what is there now, in the order of the file. */
export function diffLocks(before: Lock, after: Lock): LockDiff {
  const pick = (from: Lock, wants: (key: string, entry: LockEntry) => boolean): Pinned[] =>
    [...from]
      .filter(([key, entry]) => wants(key, entry))
      .map(([, { backend, kind, name }]) => ({ backend, kind, name }))
      .sort(byPlace)
  return {
    added: pick(after, (key) => !before.has(key)),
    changed: pick(after, (key, { hashes }) => before.has(key) && before.get(key)?.hashes.join() !== hashes.join()),
    gone: pick(before, (key) => !after.has(key)),
  }
}

/** The lock after this look: what was found, and the old entries of those backends that could not be looked at. */
export function updatedLock(before: Lock, found: Iterable<Pin>, unseen: ReadonlySet<BackendId>): Lock {
  const kept = [...before].filter(([, { backend }]) => unseen.has(backend))
  return new Map([...lockOf(found), ...kept])
}
