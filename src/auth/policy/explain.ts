import { isObject } from '../../model/json.ts'
import type { JsonObject } from '../../model/json.ts'
import { ANONYMOUS, identityKey } from '../../model/principal.ts'
import type { Principal } from '../../model/principal.ts'
import { CedarTrapped } from './cedar.ts'
import { decide, mayBeAllowed } from './decide.ts'
import type { Decision, Verdict } from './decision.ts'
import { judge } from './judge.ts'
import { uidText } from './entity.ts'
import { hintsOf } from './request.ts'
import type { PolicyRequest, Target } from './request.ts'
import type { Rule } from './rule.ts'
import { freshMemory } from './set.ts'
import type { PolicySet } from './set.ts'
import { siteOf } from './sites.ts'
import { exact, unitsOf } from './unit.ts'
import { principalUid } from './view.ts'
import { ARGUMENT, CLAIM, HINTS } from './vocabulary.ts'

/** What one policy, asked alone, says about a call. */
interface PolicyAnswer {
  id: string
  /** Place in the list of policies. */
  index: number
  effect: 'permit' | 'forbid'
  says: 'applies' | 'does not apply' | 'fails'
  /** Why it fails. */
  message?: string
  /** Attributes that it looks at and the request does not have, like `principal.claim_email`. */
  missing: readonly string[]
}

export interface Explanation {
  decision: Decision
  /** Whether it is shown in lists. */
  listed: boolean
  /** Every policy whose scope can match action and resource. */
  policies: readonly PolicyAnswer[]
}

function missingOf(set: PolicySet, rule: Rule, request: PolicyRequest): string[] {
  const { principal, target } = request
  const claims = principal.kind === 'anonymous' ? {} : principal.claims
  const given = request.arguments ?? {}
  const hints = hintsOf(target)
  const configured = set.entities.get(uidText(principalUid(principal)))?.attrs ?? {}
  const isMissing = (name: string): boolean => {
    if (name.startsWith(CLAIM))
      return !Object.hasOwn(claims, name.slice(CLAIM.length)) && !Object.hasOwn(configured, name)
    if (name.startsWith(ARGUMENT)) return !Object.hasOwn(given, name.slice(ARGUMENT.length))
    if (name === 'workflow') return request.workflow === undefined
    return HINTS.some((hint) => hint === name) && hints[name] === undefined
  }
  const { mentions } = rule
  return (['principal', 'resource', 'context'] as const).flatMap((variable) =>
    [...mentions[variable]].filter(isMissing).map((name) => `${variable}.${name}`),
  )
}

function answerOf(set: PolicySet, rule: Rule, request: PolicyRequest): PolicyAnswer {
  const { effect } = rule.json
  const told = { id: rule.id, index: rule.index, effect, missing: missingOf(set, rule, request) }
  // One number for all: the engine forgets the policy before. Decided anew each time.
  const [unit] = unitsOf([exact(rule)], { dependence: 'arguments', lenient: false }, () => -1)
  let verdict: Verdict | undefined
  try {
    verdict = unit && judge({ ...set, memory: freshMemory() }, unit, request)
  } catch (error) {
    if (!(error instanceof CedarTrapped)) throw error
    return { ...told, says: 'fails', message: error.message }
  }
  const [problem] = verdict?.problems ?? []
  if (problem) return { ...told, says: 'fails', message: problem.message }
  const applies = verdict && verdict.permits.length + verdict.forbids.length > 0
  return { ...told, says: applies ? 'applies' : 'does not apply' }
}

/** Why a principal may or may not. */
export function explain(set: PolicySet, request: PolicyRequest): Explanation {
  const rules = new Set(siteOf(set, request.target).calls.flatMap((unit) => unit.rules))
  return {
    decision: decide(set, request),
    listed: mayBeAllowed(set, request),
    policies: [...rules].sort((a, b) => a.index - b.index).map((rule) => answerOf(set, rule, request)),
  }
}

/** A principal as a test or a command line names it: its claims, `sub` among them. Without `sub` it is anonymous. */
export function principalOf(claims: JsonObject): Principal {
  const { sub } = claims
  if (typeof sub !== 'string') return ANONYMOUS
  const issuer = typeof claims['iss'] === 'string' ? claims['iss'] : ''
  const client = [claims['client_id'], claims['azp']].find((name) => typeof name === 'string')
  return {
    kind: 'identified',
    key: identityKey(issuer, sub, client),
    id: sub,
    issuer,
    subject: sub,
    client,
    scopes: [],
    claims,
    expiresAt: undefined,
    proof: undefined,
  }
}

/** A call as a test names it: one of `tool`, `resource` and `prompt`. */
export interface CaseCall {
  tool?: string
  resource?: string
  prompt?: string
  backend?: string
  annotations?: JsonObject
  arguments?: JsonObject
  /** The composite tool of whose step this is the call. */
  workflow?: string
}

/** One test of a policy set, as it stands in a file beside the policies. */
export interface PolicyCase {
  name?: string
  principal: JsonObject
  call: CaseCall
  expected: 'allow' | 'deny'
}

/** Throws an `Error` for a call that names nothing. */
export function requestOf(principal: Principal, call: CaseCall): PolicyRequest {
  const named = (['tool', 'resource', 'prompt'] as const).filter((kind) => call[kind] !== undefined)
  const [kind] = named
  if (kind === undefined || named.length > 1) throw new Error('a call names one of tool, resource and prompt')
  const target: Target = {
    kind,
    name: call[kind] ?? '',
    backend: call.backend,
    ...(isObject(call.annotations) ? { annotations: call.annotations } : {}),
  }
  const { workflow } = call
  return {
    principal,
    target,
    arguments: call.arguments,
    origin: workflow === undefined ? 'client' : 'workflow',
    workflow,
  }
}

export interface CaseResult {
  case: PolicyCase
  passed: boolean
  explanation: Explanation
}

/** Runs tests of a policy set. Throws what `requestOf` throws. */
export function runCases(set: PolicySet, cases: readonly PolicyCase[]): CaseResult[] {
  return cases.map((one) => {
    const explanation = explain(set, requestOf(principalOf(one.principal), one.call))
    return { case: one, passed: explanation.decision.kind === one.expected, explanation }
  })
}
