import type { View } from './fixture/door.ts'
import type { Revision } from './requirements.ts'

/** A failure that the gateway cannot avoid, because the backend in this view does not provide the feature. */
export interface Exception {
  requirements: Revision
  view: View
  scenario: string
  /** Only this check; without it, the scenario as a whole. */
  check?: string
  reason: string
}

const TASKS = 'the tasks extension exists since 2026-07-28; the legacy backend offers no tasks at all'

const tasks = (scenario: string): Exception => ({
  requirements: '2026-07-28',
  view: 'legacy',
  scenario,
  reason: TASKS,
})

const UNDECLARED =
  'a legacy server has no way to say which capability it misses: the session was opened without sampling, ' +
  'and the tool answers with an error of its own'

const POLLING =
  '2026-07-28 has no streams that are polled: the tool cannot close its own, is silent for 100 ms and answers. What is ' +
  'answered within a second is one JSON body (an answer that takes longer becomes a stream that can be polled)'

/** Every exception must excuse something, or the run fails. */
export const EXCEPTIONS: readonly Exception[] = [
  { requirements: '2025-11-25', view: 'modern', scenario: 'server-sse-polling', reason: POLLING },
  {
    requirements: '2026-07-28',
    view: 'legacy',
    scenario: 'server-stateless',
    check: 'sep-2575-server-rejects-undeclared-capability',
    reason: UNDECLARED,
  },
  {
    requirements: '2026-07-28',
    view: 'legacy',
    scenario: 'server-stateless',
    check: 'sep-2575-missing-capability-http-400',
    reason: UNDECLARED,
  },
  {
    requirements: '2026-07-28',
    view: 'legacy',
    scenario: 'input-required-result-basic-elicitation',
    check: 'sep-2322-elicitation-incomplete',
    reason: 'the suite looks for the key "user_name"; a request of a legacy server carries no key to take over',
  },
  tasks('tasks-lifecycle'),
  tasks('tasks-capability-negotiation'),
  tasks('tasks-wire-fields'),
  tasks('tasks-request-state-removal'),
  tasks('tasks-mrtr-input'),
  tasks('tasks-request-headers'),
  tasks('tasks-dispatch-and-envelope'),
  tasks('tasks-required-task-error'),
  tasks('tasks-mrtr-composition'),
]

const SKILLS = 'an extension, in no set: whoever loads a skill has to verify it; the gateway hands it on'

/** Scenarios for clients that are not run, none of which is scored. */
export const NOT_RUN: Readonly<Record<string, string>> = {
  'auth/dpop': 'an extension: the gateway shows bearer tokens and holds no key that they are bound to',
  'auth/dpop-nonce': 'an extension: as auth/dpop',
  'auth/wif-jwt-bearer': 'an extension: the gateway has no strategy that shows the identity of its workload',
  'auth/2025-03-26-oauth-endpoint-fallback':
    'in no set: an authorization server without metadata does not say that it supports PKCE, so it has to be refused ' +
    '(2025-11-25, basic/authorization, "Authorization Code Protection")',
  'sep-2640-client-no-prefetch': SKILLS,
  'sep-2640-client-verify-digest': SKILLS,
  'sep-2640-client-verify-size': SKILLS,
  'sep-2640-client-verify-frontmatter': SKILLS,
}
