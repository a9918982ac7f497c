import type { Cedar } from './cedar.ts'
import { argumentsOf } from './arguments.ts'
import { SILENT } from './decision.ts'
import type { PolicyProblem, Verdict } from './decision.ts'
import { uidText } from './entity.ts'
import type { Uid } from './entity.ts'
import { actionOf } from './request.ts'
import type { PolicyRequest } from './request.ts'
import { entitiesOf, resourceAttributes } from './request-entities.ts'
import { remember } from './set.ts'
import type { PolicySet } from './set.ts'
import { allUnits } from './sites.ts'
import { nextTurn } from './turns.ts'
import { ruleOf } from './unit.ts'
import type { Unit, View } from './unit.ts'
import type { Attributes } from './values.ts'
import { viewOf } from './view.ts'
import { ACTIONS } from './vocabulary.ts'

const failing = (problem: PolicyProblem): Verdict => ({ ...SILENT, problems: [problem] })

/** By instance, the unit that it has under each number. */
const prepared = new WeakMap<Cedar, Map<number, Unit>>()

/** The name by which the instance has a unit. */
function prepare(unit: Unit, cedar: Cedar): string {
  const name = `unit${unit.number}`
  let units = prepared.get(cedar)
  if (!units) prepared.set(cedar, (units = new Map()))
  if (units.get(unit.number) !== unit) {
    units.delete(unit.number)
    const answer = cedar.preparsePolicySet(name, { staticPolicies: unit.policies })
    if (answer.type === 'failure') throw new Error(answer.errors[0]?.message)
    units.set(unit.number, unit)
  }
  return name
}

/** Prepares everything that can be decided by, unit by unit, so that the first list does not wait for it. */
export async function prepareAll(set: PolicySet): Promise<void> {
  for (const unit of allUnits(set)) {
    await nextTurn()
    set.engine.run((cedar) => prepare(unit, cedar))
  }
}

/** Asks the engine about one unit. Throws `CedarTrapped`. */
function evaluate(set: PolicySet, unit: Unit, view: View, request: PolicyRequest): Verdict {
  const { target, origin, workflow } = request
  if (view.rules.length === 0) return SILENT
  if (view.problem) return failing(view.problem)
  const action = actionOf(target)
  const resource: Uid = { type: ACTIONS[action].entity, id: target.name }

  const { mentions } = unit
  const own = set.entities.get(uidText(resource))
  const all: Attributes = { ...own?.attrs, ...resourceAttributes(target) }
  const attrs: Attributes = {}
  for (const name of mentions.resource) {
    const value = Object.hasOwn(all, name) ? all[name] : undefined
    if (value !== undefined) attrs[name] = value
  }
  const context: Attributes = { ...view.context }
  if (mentions.wholeContext || mentions.context.has('origin')) context['origin'] = origin
  if (workflow !== undefined && (mentions.wholeContext || mentions.context.has('workflow')))
    context['workflow'] = workflow
  if (unit.dependence === 'arguments' && request.arguments) {
    const failed = argumentsOf(unit, view, request.arguments, (name, value) => {
      if (mentions.wholeContext || mentions.context.has(name)) context[name] = value
      if (mentions.resource.has(name)) attrs[name] = value
    })
    if (failed) return failing(failed)
  }

  const answer = set.engine.run((cedar) =>
    cedar.statefulIsAuthorized({
      principal: view.entity.uid,
      action: { type: 'Action', id: action },
      resource,
      context,
      entities: entitiesOf(set, unit, target, view, resource, attrs),
      preparsedPolicySetId: prepare(unit, cedar),
    }),
  )
  if (answer.type === 'failure') return failing({ message: answer.errors.map((error) => error.message).join('; ') })
  const { decision, diagnostics } = answer.response
  const by = diagnostics.reason.map((key) => ruleOf(unit, key)?.id ?? key)
  const problems: PolicyProblem[] = unit.lenient
    ? []
    : diagnostics.errors.map(({ policyId, error }) => ({
        policy: ruleOf(unit, policyId)?.id ?? policyId,
        message: error.message,
      }))
  if (by.length === 0 && problems.length === 0) return SILENT
  return decision === 'allow' ? { permits: by, forbids: [], problems } : { permits: [], forbids: by, problems }
}

/** What a unit says; remembered for the principal's class where nothing but the principal and the target counts. */
export function judge(set: PolicySet, unit: Unit, request: PolicyRequest): Verdict {
  const view = viewOf(set, unit, request.principal)
  const keeps =
    unit.dependence === 'nothing' ||
    (unit.dependence === 'origin' && request.origin === 'client' && request.workflow === undefined)
  if (!keeps) return evaluate(set, unit, view, request)
  const { usesResource } = unit.mentions
  const known = usesResource ? view.byTarget?.get(request.target) : view.verdict
  if (known) return known
  const verdict = evaluate(set, unit, view, request)
  // What the engine could not read may be of this target alone.
  if (verdict.problems.some(({ policy }) => policy === undefined)) return verdict
  if (usesResource) (view.byTarget ??= new WeakMap()).set(request.target, verdict)
  else view.verdict = verdict
  remember(set)
  return verdict
}
