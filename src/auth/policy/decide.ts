import { CedarTrapped } from './cedar.ts'
import { combine } from './decision.ts'
import type { Decision } from './decision.ts'
import { judge } from './judge.ts'
import { otherReadings } from './readings.ts'
import type { PolicyRequest, Target } from './request.ts'
import type { PolicySet } from './set.ts'
import { siteOf } from './sites.ts'

const failed = (message: string): Decision => ({ kind: 'deny', why: 'fault', by: [], faults: [{ message }] })

/** Nobody offers what has a longer name, but anybody may ask for it, and have it matched with every pattern. */
const MAX_NAME = 65_536

/** The engine cannot read lone surrogates. */
const isHeld = ({ name }: Target): boolean => name.length <= MAX_NAME && name.isWellFormed()

function decideBy(set: PolicySet, which: 'calls' | 'lists', request: PolicyRequest): Decision {
  const { target } = request
  const decision = decideAs(set, which, request)
  if (target.kind !== 'resource' || decision.kind === 'deny') return decision
  // It is sent on as it came, and what it means is up to the backend: whatever that may be must be allowed.
  const readings = otherReadings(target.name)
  if (!readings) return failed('the URI is encoded so often that nobody can tell what it means')
  for (const name of readings) {
    const other = decideAs(set, which, { ...request, target: { ...target, name } })
    if (other.kind === 'deny') return other
  }
  return decision
}

function decideAs(set: PolicySet, which: 'calls' | 'lists', request: PolicyRequest): Decision {
  // Before anything is remembered.
  if (!isHeld(request.target)) return failed('Cedar cannot hold the name of the resource')
  try {
    return combine(siteOf(set, request.target)[which].map((unit) => judge(set, unit, request)))
  } catch (error) {
    if (!(error instanceof CedarTrapped)) throw error
    return failed(error.message)
  }
}

/**
 * Whether this call is allowed. Cedar decides; what is done here is that policies whose scope cannot match are not asked,
 * and that a decision which depends on nothing but the principal's class and the target is remembered. Never throws for
 * what a client sends: what cannot be decided is denied.
 */
export function decide(set: PolicySet, request: PolicyRequest): Decision {
  return decideBy(set, 'calls', request)
}

/**
 * Whether some arguments could be allowed: what a list shows. True for everything that `decide` allows a client with any
 * arguments. Of a template: whether some of its resources could be.
 */
export function mayBeAllowed(set: PolicySet, request: Omit<PolicyRequest, 'arguments'>): boolean {
  return decideBy(set, 'lists', request).kind === 'allow'
}
