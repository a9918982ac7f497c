import { type CaseResult, runCases } from '../../auth/policy/explain.ts'
import { type Args, type Command, JSON_FLAG } from '../args.ts'
import { type Judged, printCases } from '../cases/print-cases.ts'
import { EXIT } from '../exit.ts'
import { printJson } from '../terminal.ts'
import { POLICY_CASES_FORMAT, readPolicyCases } from './cases.ts'
import { explanationText } from './explanation.ts'
import { fileIn } from './file-argument.ts'
import { usablePolicies } from './source.ts'

export const testVerb: Command = {
  name: 'policy test',
  usage: 'FILE [options]',
  summary: 'Decide cases, and tell why some are decided otherwise than expected.',
  flags: JSON_FLAG,
  notes: [...POLICY_CASES_FORMAT, 'Exits with 1 when a case fails, with 3 when policies or cases are wrong.'],
  examples: ['vmcp policy test vmcp.test.yaml', 'vmcp policy test team.cedar --json'],
  run: test,
}

async function test(args: Args): Promise<number> {
  const { policies, cases, places } = readPolicyCases(fileIn(args))
  const results = runCases(await usablePolicies(policies), cases)
  if (args.on('json')) printJson(results)
  else printCases(results.map((result, index) => judgedOf(result, places[index])))
  return results.every(({ passed }) => passed) ? EXIT.ok : EXIT.failed
}

function judgedOf({ case: one, passed, explanation }: CaseResult, place: string | undefined): Judged {
  const { name, principal, call, expected } = one
  return {
    title: name ?? `${JSON.stringify(principal)} ${JSON.stringify(call)} ${expected}`,
    passed,
    details: passed ? [] : [`${place}: expected ${expected}`, explanationText(explanation)],
  }
}
