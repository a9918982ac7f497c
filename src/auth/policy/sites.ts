import { ancestry } from './entities.ts'
import { uidText } from './entity.ts'
import { mentionsCall, relax } from './relax.ts'
import { actionOf } from './request.ts'
import type { Target } from './request.ts'
import { dependenceOf } from './rule.ts'
import type { Rule } from './rule.ts'
import type { PolicySet } from './set.ts'
import { mentionsOfPolicy, joinMentions } from './syntax.ts'
import { templateUnits } from './template-units.ts'
import { exact, unitsOf } from './unit.ts'
import type { Site, Unit } from './unit.ts'
import { ACTION_NAMES, ACTIONS } from './vocabulary.ts'
import type { ActionName } from './vocabulary.ts'

/** What everything of a backend, or of none, is in. */
function parentsOf({ names }: PolicySet, { backend }: Target): string[] {
  const keys: string[] = []
  if (names.serverName !== '') keys.push(uidText({ type: 'MCP', id: names.serverName }))
  if (backend !== undefined) {
    keys.push(uidText({ type: 'Backend', id: backend }))
    if (names.group !== undefined) keys.push(uidText({ type: 'Group', id: names.group }))
  }
  return keys
}

/** Everything that a target is in, itself included. */
function keysOf(set: PolicySet, target: Target): Set<string> {
  const own = uidText({ type: ACTIONS[actionOf(target)].entity, id: target.name })
  return ancestry(set.entities, [own, ...parentsOf(set, target)])
}

function exactly(rules: readonly Rule[], nextNumber: () => number): Site {
  const by = (wanted: ReturnType<typeof dependenceOf>): Unit[] =>
    unitsOf(
      rules.filter((rule) => dependenceOf(rule) === wanted).map(exact),
      { dependence: wanted, lenient: false },
      nextNumber,
    )
  const known = [...by('nothing'), ...by('origin')]
  // A list is decided by permits without the clauses that are not known, and without such forbids.
  const relaxed = rules
    .filter((rule) => rule.json.effect === 'permit' && dependenceOf(rule) === 'arguments')
    .map((rule) => {
      const policies = relax(rule.json, mentionsCall)
      return { rule, policies, mentions: joinMentions(policies.map(mentionsOfPolicy)) }
    })
  return {
    calls: [...known, ...by('arguments')],
    lists: [...known, ...unitsOf(relaxed, { dependence: 'origin', lenient: true }, nextNumber)],
  }
}

function siteAt(set: PolicySet, action: ActionName, key: string): Site {
  const at = `${action} ${key}`
  let site = set.units.get(at)
  if (!site) {
    site = exactly(set.slices[action].get(key) ?? [], set.nextNumber)
    set.units.set(at, site)
  }
  return site
}

/** Of everything but templates, whose units are made when there are any. */
export function* allUnits(set: PolicySet): Generator<Unit> {
  for (const action of ACTION_NAMES)
    for (const key of set.slices[action].keys()) {
      const { calls, lists } = siteAt(set, action, key)
      yield* new Set([...calls, ...lists])
    }
}

function makeSite(set: PolicySet, target: Target): Site {
  if (target.kind === 'template') {
    const units = templateUnits(set, target.name, parentsOf(set, target))
    return { calls: units, lists: units }
  }
  const action = actionOf(target)
  const slices = set.slices[action]
  const sites = ['', ...keysOf(set, target)].filter((key) => slices.has(key)).map((key) => siteAt(set, action, key))
  return { calls: sites.flatMap(({ calls }) => calls), lists: sites.flatMap(({ lists }) => lists) }
}

/** The units that can match a target. */
export function siteOf(set: PolicySet, target: Target): Site {
  let site = set.memory.sites.get(target)
  if (!site) {
    site = makeSite(set, target)
    set.memory.sites.set(target, site)
  }
  return site
}
