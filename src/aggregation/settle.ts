import type { Candidate, Field } from './candidates.ts'
import type { Verdict } from './conflicts.ts'
import type { Kind } from './kinds.ts'
import { prefixOf, shortHash } from './names.ts'

/** A candidate that gets a name, and the one it asks for. */
export interface Wish {
  candidate: Candidate
  /** Before the name guard. */
  raw: string
  /** After it. */
  guarded: string
}

type Form = 'bare' | 'prefixed'

/**
 * The wishes that follow from the verdicts. A name that was given out stands, even when a clash came up since, unless it is
 * not one that today's settings could give, or the clash withholds it.
 */
export function wishesOf(
  kind: Kind,
  { candidates, held }: Field,
  verdicts: ReadonlyMap<Candidate, Verdict>,
  forms: readonly Form[],
  prefixFormat: string,
): { wishes: readonly Wish[]; settled: ReadonlyMap<Candidate, string> } {
  const wish = (candidate: Candidate, form: Form): Wish => {
    const raw = form === 'bare' ? candidate.base : prefixOf(prefixFormat, candidate.backend) + candidate.base
    return { candidate, raw, guarded: kind.guard(raw) }
  }
  const settled = new Map<Candidate, string>()
  const standing = new Map<Candidate, Wish>()
  for (const [name, candidate] of held) {
    if (standing.has(candidate) || verdicts.get(candidate) === 'withheld') continue
    const possible = forms.map((form) => wish(candidate, form))
    const granted =
      possible.find(({ guarded }) => guarded === name) ?? possible.find((wish) => distinct(kind, wish, 0) === name)
    if (granted === undefined) continue
    standing.set(candidate, granted)
    settled.set(candidate, name)
  }
  const wishes = candidates.flatMap((candidate) => {
    const verdict = verdicts.get(candidate)
    const granted = standing.get(candidate)
    if (granted !== undefined) return [granted]
    return verdict === 'bare' || verdict === 'prefixed' ? [wish(candidate, verdict)] : []
  })
  return { wishes, settled }
}

// With a function as replacement: in a string `$&` would be a pattern.

/**
 * One name for each wish, no name twice. Settled names first; then clients' tools before hidden ones, and names that the guard
 * left alone before those it changed; within that the order of configuration. Who comes too late gets a hash of its origin.
 */
export function settle(
  kind: Kind,
  wishes: readonly Wish[],
  settled: ReadonlyMap<Candidate, string>,
  held: Field['held'],
  /** Names that nobody gets. */
  reserved: ReadonlySet<string>,
): ReadonlyMap<Candidate, string> {
  const names = new Map<Candidate, string>()
  const taken = new Set(reserved)
  const take = ({ candidate }: Wish, name: string): boolean => {
    if (taken.has(name) || (held.get(name) ?? candidate) !== candidate) return false
    taken.add(name)
    names.set(candidate, name)
    return true
  }
  const rounds: ((wish: Wish) => string | undefined)[] = [
    ({ candidate }) => settled.get(candidate),
    ({ candidate, raw, guarded }) => (hidden(candidate) || raw !== guarded ? undefined : guarded),
    ({ candidate, guarded }) => (hidden(candidate) ? undefined : guarded),
    ({ raw, guarded }) => (raw === guarded ? guarded : undefined),
    ({ guarded }) => guarded,
  ]
  let left = wishes
  for (const asks of rounds) {
    left = left.filter((wish) => {
      const name = asks(wish)
      return name === undefined || !take(wish, name)
    })
  }
  for (const wish of left) {
    // A backend that knows the hash can take the name in advance, hence more than one attempt.
    for (let attempt = 0; !take(wish, distinct(kind, wish, attempt)); attempt++);
  }
  return names
}

const hidden = ({ visibility }: Candidate): boolean => visibility === 'hidden'

function distinct(kind: Kind, { candidate: { backend, native }, raw }: Wish, attempt: number): string {
  return kind.guard(`${raw}_${shortHash(JSON.stringify([backend, native, attempt]))}`)
}
