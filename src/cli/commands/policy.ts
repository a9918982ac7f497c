import { POLICY_CASES_FORMAT } from '../policy/cases.ts'
import { checkVerb } from '../policy/check.ts'
import { explainVerb } from '../policy/explain.ts'
import { testVerb } from '../policy/test.ts'
import { withVerbs } from '../verbs.ts'

export const policyCommand = withVerbs({
  name: 'policy',
  usage: 'FILE [options]',
  summary: 'Check, test and explain the policies of a configuration or of a .cedar file.',
  verbs: [checkVerb, testVerb, explainVerb],
  notes: [...POLICY_CASES_FORMAT, 'Exits with 1 when a case fails, with 3 when policies or cases are wrong.'],
  examples: [
    'vmcp policy check vmcp.yaml',
    'vmcp policy test vmcp.test.yaml',
    `vmcp policy explain vmcp.yaml --principal '{"sub":"alice","groups":["admins"]}' --tool github_search`,
    `vmcp policy explain vmcp.yaml --principal '{"sub":"bob"}' --tool github_search --annotations '{"readOnlyHint":true}'`,
  ],
})
