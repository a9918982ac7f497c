import type { BackendId } from '../../model/ids.ts'
import type { JsonObject } from '../../model/json.ts'
import type { Contribution } from '../contribution.ts'
import { definitionFault } from '../definitions.ts'
import { KINDS, type Kind } from '../kinds.ts'
import { visible } from './hidden.ts'
import { inspect, inspectTexts, type Inspection } from './inspect.ts'
import { skeleton } from './look-alikes.ts'
import type { Finding } from './rules.ts'

/** One thing that is looked at. */
interface Subject extends Pick<Finding, 'backend' | 'kind' | 'name'> {
  inspection: Inspection
}

/**
 * What an operator should look at before a model does: hidden characters, words to the model over the user's head, tools of
 * one backend that speak of another's or pass for them. Pure and explainable (`RULES`); it withholds nothing.
 */
export function findSuspicious(contributions: readonly Contribution[]): Finding[] {
  const names = new ToolNames(contributions)
  const findings: Finding[] = []
  for (const { inspection, ...subject } of subjectsOf(contributions)) {
    for (const row of inspection.rows) findings.push({ ...subject, ...row })
    for (const { name, excerpt, where } of inspection.mentions) {
      const owner = names.foreign(name, subject.backend)
      if (owner !== undefined) {
        findings.push({ ...subject, rule: 'shadowing', excerpt: `${quoted(name)} of ${owner}: ${excerpt}`, where })
      }
    }
    if (subject.kind !== 'tool') continue
    const twin = names.twin(subject.name, subject.backend)
    if (twin) {
      const excerpt = `${quoted(subject.name)} beside ${quoted(twin.name)} of ${twin.backend}`
      findings.push({ ...subject, rule: 'look-alike', excerpt, where: 'name' })
    }
  }
  return findings
}

/** Definitions that clients could be shown. */
export function* definitionsOf({ lists }: Contribution): Generator<{ row: Kind; definition: JsonObject }> {
  if (!lists) return
  for (const row of Object.values<Kind>(KINDS)) {
    for (const definition of lists[row.list]) {
      if (definitionFault(row.list, definition) === undefined) yield { row, definition }
    }
  }
}

function* subjectsOf(contributions: readonly Contribution[]): Generator<Subject> {
  for (const contribution of contributions) {
    const { backend, lists } = contribution
    if (typeof lists?.instructions === 'string') {
      const inspection = inspectTexts([{ where: 'instructions', text: lists.instructions, prose: true }])
      yield { backend, kind: 'instructions', name: '', inspection }
    }
    for (const { row, definition } of definitionsOf(contribution)) {
      yield { backend, kind: row.kind, name: definition[row.key] as string, inspection: inspect(definition) }
    }
  }
}

interface Owned {
  backend: BackendId
  name: string
  /** Position of its backend in the configuration. */
  rank: number
}

/** Who has which tool. */
class ToolNames {
  /** By native name and by that with the usual prefix. */
  readonly #owners = new Map<string, BackendId[]>()
  readonly #bySkeleton = new Map<string, Owned[]>()

  constructor(contributions: readonly Contribution[]) {
    for (const [rank, contribution] of contributions.entries()) {
      const { backend } = contribution
      for (const { row, definition } of definitionsOf(contribution)) {
        if (row.kind !== 'tool') continue
        const name = definition['name'] as string
        for (const said of [name, `${backend}_${name}`]) push(this.#owners, said, backend)
        push(this.#bySkeleton, skeleton(name), { backend, name, rank })
      }
    }
  }

  /** Whose tool a name means that the speaker has not got itself. */
  foreign(name: string, speaker: BackendId): BackendId | undefined {
    const owners = this.#owners.get(name)
    return owners === undefined || owners.includes(speaker) ? undefined : owners[0]
  }

  /** The other backend's tool that this one passes for. Of two that differ in case alone the later one is told. */
  twin(name: string, backend: BackendId): Owned | undefined {
    const group = this.#bySkeleton.get(skeleton(name)) ?? []
    if (group.length < 2) return undefined
    const self = group.find((one) => one.backend === backend && one.name === name)
    return group.find(
      (other) => self && other.backend !== backend && other.name !== name && strangeness(other) < strangeness(self),
    )
  }
}

/** Plain lower-case names are what others imitate. */
const strangeness = ({ name, rank }: Owned): number =>
  (/^[a-z_./-]*$/.test(name) ? 0 : /^[\w./-]*$/.test(name) ? 1e6 : 2e6) + rank

function push<Value>(map: Map<string, Value[]>, key: string, value: Value): void {
  const values = map.get(key)
  if (values) values.push(value)
  else map.set(key, [value])
}

const quoted = (name: string): string => JSON.stringify(visible(name.slice(0, 80)))
