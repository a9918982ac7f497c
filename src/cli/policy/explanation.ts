import type { Explanation } from '../../auth/policy/explain.ts'

/** Why a call is allowed or denied, for people. */
export function explanationText({ decision, listed, policies }: Explanation): string {
  const reason =
    decision.kind === 'allow'
      ? `allowed by ${decision.by.join(', ')}`
      : {
          policy: `denied by ${decision.by.join(', ')}`,
          'no-match': 'denied: no policy permits it',
          fault: 'denied: a policy could not be evaluated',
        }[decision.why]
  const faults =
    decision.kind === 'deny' ? decision.faults.map(({ policy, message }) => `  ${policy ?? 'engine'}: ${message}`) : []
  const rows = policies.map(({ id, effect, says, message, missing }) => {
    const lacks = missing.length > 0 ? `; the request has no ${missing.join(', ')}` : ''
    return `  ${id}  ${effect}  ${says}${message === undefined ? '' : `: ${message}`}${lacks}`
  })
  return [
    reason,
    ...faults,
    listed ? 'shown in lists' : 'not shown in lists',
    'policies that could match:',
    ...(rows.length > 0 ? rows : ['  none']),
  ].join('\n')
}
