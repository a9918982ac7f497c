import type { BackendId } from '../model/ids.ts'
import type { AggregationSettings } from '../model/settings.ts'
import type { Candidate, Field } from './candidates.ts'
import type { Kind } from './kinds.ts'
import { guardName, prefixOf } from './names.ts'

/** `bare`: the name after overrides. `dropped`: another one has it. `withheld`: nobody has it. */
export type Verdict = 'bare' | 'prefixed' | 'dropped' | 'withheld'

/** Entries with one name after overrides. */
interface Contest {
  contenders: readonly Candidate[]
  /** The contender that had the bare name before. */
  holder: Candidate | undefined
  /** Position in `priorityOrder`; infinite when not there. */
  rank: (candidate: Candidate) => number
}

interface Ruling {
  verdict: (candidate: Candidate) => Verdict
  /** Present when there was something to rule. */
  why?: string
}

interface Strategy {
  /** The forms of a name that it gives. */
  forms: readonly ('bare' | 'prefixed')[]
  rule: (contest: Contest) => Ruling
}

const all = (verdict: Verdict) => () => verdict
/** Two tools of one backend with one name: prefixes do not help, and neither is a stranger. */
const family = ([first, ...rest]: readonly Candidate[]) => rest.every(({ backend }) => backend === first?.backend)

/** The strategies of contract 4. Prompts follow the same ones as tools. */
const STRATEGIES = {
  bare: { forms: ['bare'], rule: () => ({ verdict: all('bare') }) },

  prefix: { forms: ['prefixed'], rule: () => ({ verdict: all('prefixed') }) },

  prefixOnConflict: {
    forms: ['bare', 'prefixed'],
    rule({ contenders, holder }) {
      if (family(contenders)) return { verdict: all('bare') }
      return holder === undefined
        ? { verdict: all('prefixed'), why: 'names that clash are prefixed' }
        : {
            verdict: (candidate) => (candidate === holder ? 'bare' : 'prefixed'),
            why: `${holder.backend} had the name first, who comes later is prefixed`,
          }
    },
  },

  priority: {
    forms: ['bare', 'prefixed'],
    rule({ contenders, holder, rank }) {
      if (family(contenders)) return { verdict: all('bare') }
      const best = contenders.reduce((best, candidate) => (rank(candidate) < rank(best) ? candidate : best))
      const winner = holder ?? best
      if (rank(best) === Infinity && holder === undefined) {
        return { verdict: all('prefixed'), why: 'none of these backends is in priorityOrder, so they are prefixed' }
      }
      return {
        verdict: (candidate) => {
          if (candidate.backend === winner.backend) return 'bare'
          // Better placed than the holder but later, or as unlisted as the holder: not beaten, so still to be had.
          return rank(candidate) < rank(winner) || rank(winner) === Infinity ? 'prefixed' : 'dropped'
        },
        why:
          rank(best) < rank(winner) || rank(winner) === Infinity
            ? `${winner.backend} had the name first and keeps it until the gateway restarts, whatever priorityOrder says`
            : `${winner.backend} comes first in priorityOrder`,
      }
    },
  },

  manual: {
    forms: ['bare', 'prefixed'],
    // A first comer loses its name too: what is served must not depend on who answered first, nor on the replica.
    rule: ({ contenders }) =>
      contenders.length === 1
        ? { verdict: all('bare') }
        : { verdict: all('withheld'), why: 'under conflictResolution: manual nobody gets a contested name' },
  },

  firstConfigured: {
    forms: ['bare'],
    rule({ contenders, holder }) {
      const winner = holder ?? contenders[0]
      if (winner === undefined || contenders.length === 1) return { verdict: all('bare') }
      return {
        verdict: (candidate) => (candidate === winner ? 'bare' : 'dropped'),
        why:
          winner === contenders[0]
            ? `${winner.backend} is configured first`
            : `${winner.backend} had it first and keeps it until the gateway restarts`,
      }
    },
  },
} as const satisfies Record<string, Strategy>

/** `configured` counts backends, healthy or not. */
export function strategyOf(kind: Kind, settings: AggregationSettings, configured: number): Strategy {
  if (kind.key !== 'name') return STRATEGIES.firstConfigured
  if (settings.strategy !== 'prefix') return STRATEGIES[settings.strategy]
  if (settings.onlyOnConflict) return STRATEGIES.prefixOnConflict
  return configured === 1 && !settings.prefixExplicit ? STRATEGIES.bare : STRATEGIES.prefix
}

/** Whether an unknown name could be one of a backend that has never answered: it alone is configured, or its prefix leads. */
export function couldBelong(
  name: string,
  backend: BackendId,
  settings: AggregationSettings,
  configured: number,
): boolean {
  const prefix = prefixOf(settings.prefixFormat, backend)
  if (configured === 1 && !settings.prefixExplicit) return true
  return prefix !== '' && name.startsWith(guardName(prefix))
}

export interface Clash {
  /** The contested name, after overrides. */
  name: string
  contenders: readonly Candidate[]
  why: string
}

/** What becomes of each candidate, and which names were contested. */
export function judge(
  kind: Kind,
  { candidates, held }: Field,
  strategy: Strategy,
  settings: AggregationSettings,
): { verdicts: ReadonlyMap<Candidate, Verdict>; clashes: readonly Clash[] } {
  const rank = ranking(settings.priorityOrder)
  const verdicts = new Map<Candidate, Verdict>()
  const clashes: Clash[] = []
  for (const [name, group] of Map.groupBy(candidates, ({ base }) => base)) {
    const claimant = held.get(kind.guard(name))
    const holder = claimant?.base === name ? claimant : undefined
    const visible = group.filter(({ visibility }) => visibility !== 'hidden')
    const hidden = group.filter(({ visibility }) => visibility === 'hidden')

    if (visible.length > 0) {
      // A workflow that uses the hidden tool under this name must not find another tool behind it.
      const ruling =
        holder?.visibility === 'hidden'
          ? { verdict: all('prefixed') }
          : strategy.rule({ contenders: visible, holder, rank })
      for (const candidate of visible) verdicts.set(candidate, ruling.verdict(candidate))
      if (ruling.why !== undefined) clashes.push({ name, contenders: visible, why: ruling.why })
    }
    if (hidden.length > 0) {
      const ruling =
        visible.length > 0 ? { verdict: all('prefixed') } : strategy.rule({ contenders: hidden, holder, rank })
      for (const candidate of hidden) {
        const verdict = ruling.verdict(candidate)
        // Workflow steps can use every hidden tool, so none is lost to a clash that no client sees.
        verdicts.set(candidate, verdict === 'bare' ? 'bare' : 'prefixed')
      }
    }
  }
  return { verdicts, clashes }
}

function ranking(order: readonly string[]): Contest['rank'] {
  const ranks = new Map([...order.entries()].reverse().map(([index, backend]) => [backend, index]))
  return ({ backend }) => ranks.get(backend) ?? Infinity
}
