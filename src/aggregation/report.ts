import type { Conflict } from '../model/catalogue.ts'
import type { Candidate } from './candidates.ts'
import type { Clash } from './conflicts.ts'
import type { Kind } from './kinds.ts'
import type { Wish } from './settle.ts'
import { quote, several } from './text.ts'

/** What people are told about names: conflicts, and for each entry the one that it took part in. */
export interface Report {
  conflicts: readonly Conflict[]
  explained: ReadonlyMap<Candidate, string>
  notes: readonly string[]
}

export function report(
  kind: Kind,
  clashes: readonly Clash[],
  wishes: readonly Wish[],
  names: ReadonlyMap<Candidate, string>,
  /** What composite tools are called. */
  reserved: ReadonlySet<string>,
): Report {
  const conflicts: Conflict[] = []
  const explained = new Map<Candidate, string>()
  const add = (name: string, contenders: readonly Candidate[], why: string) => {
    const lost = contenders.filter((candidate) => !names.has(candidate))
    const last = lost.at(-1)
    const wayOut = last ? `; ${kind.wayOut(last.backend, quote(last.native))}` : ''
    const resolution = `${several(contenders.map((candidate) => outcome(candidate, names)))}: ${why}${wayOut}`
    const backends = [...new Set(contenders.map(({ backend }) => backend))]
    conflicts.push({ name, kind: kind.kind, backends, resolution, withheld: lost.length === contenders.length })
    for (const candidate of contenders) if (!explained.has(candidate)) explained.set(candidate, resolution)
  }
  for (const { name, contenders, why } of clashes) add(name, contenders, why)

  const visible = wishes.filter(({ candidate }) => candidate.visibility !== 'hidden')
  for (const [name, group] of Map.groupBy(visible, ({ guarded }) => guarded)) {
    const contenders = group.map(({ candidate }) => candidate)
    if (reserved.has(name)) add(name, contenders, `a composite tool is called ${quote(name)}`)
    else if (contenders.length > 1) add(name, contenders, `they come out alike, so only one is ${quote(name)}`)
  }
  const notes = wishes.flatMap(({ candidate, raw, guarded }) => {
    const name = names.get(candidate)
    if (raw === guarded || name === undefined || candidate.definition === undefined) return []
    return [`${candidate.backend}: the ${kind.kind} ${quote(candidate.native)} is shown as ${quote(name)} (name guard)`]
  })
  return { conflicts, explained, notes }
}

function outcome(candidate: Candidate, names: ReadonlyMap<Candidate, string>): string {
  const { backend, native } = candidate
  const name = names.get(candidate)
  return `${quote(native)} of ${backend} is ${name === undefined ? 'not shown' : `shown as ${quote(name)}`}`
}
