import { formatFault } from '../../config/format.ts'
import type { Context } from '../../model/call.ts'
import type { Composite } from '../../gateway/workflows/compiled-composites.ts'
import { callStep } from '../../gateway/workflows/step-call.ts'
import { type Tools, UNASKED } from '../../gateway/workflows/offers.ts'
import type { RealCalls } from '../../workflow/testing/call-tools.ts'
import { type CaseOutcome, runCase } from '../../workflow/testing/run-case.ts'
import { type Subject, subjectOf } from '../../workflow/testing/subject.ts'
import { AS_FLAG, actingAs } from '../acting-as.ts'
import { type Args, type Command, JSON_FLAG } from '../args.ts'
import { type Judged, printCases } from '../cases/print-cases.ts'
import { CONFIG_FLAGS } from '../configuration.ts'
import { EXIT, usageError } from '../exit.ts'
import { withGateway } from '../session.ts'
import { count, paintFor, printJson } from '../terminal.ts'
import {
  type FiledCase,
  problemFault,
  readWorkflowCases,
  WORKFLOW_CASES_FORMAT,
  type WorkflowCaseFile,
} from './cases.ts'
import { compositesIn, pick, planOf, uncheckedComposites } from './composites.ts'
import { contextOf } from './context.ts'
import { loadWorkflows } from './named.ts'

interface Tested {
  one: FiledCase
  outcome: CaseOutcome
}

export const testVerb: Command = {
  name: 'workflow test',
  usage: 'FILE... [options]',
  summary: 'Run cases of composite tools, with answers that the cases hold.',
  flags: {
    group: CONFIG_FLAGS.group,
    recursive: CONFIG_FLAGS.recursive,
    ...AS_FLAG,
    connect: { type: 'boolean', help: 'start the backends and check the cases against their schemas' },
    ...JSON_FLAG,
  },
  notes: [...WORKFLOW_CASES_FORMAT, 'Exits with 1 when a case fails, with 3 when cases are wrong.'],
  examples: ['vmcp workflow test vmcp.workflow.test.yaml', 'vmcp workflow test vmcp.yaml --connect'],
  run: test,
}

async function test(args: Args): Promise<number> {
  if (args.positionals.length === 0) throw usageError('name the file of cases to test', args.command)
  const tested: Tested[] = []
  for (const file of readWorkflowCases(args.positionals)) tested.push(...(await testFile(file, args)))
  if (args.on('json')) printJson(tested.map(rowOf))
  else printCases(tested.map(judgedOf))
  return tested.every(({ outcome }) => outcome.passed) ? EXIT.ok : EXIT.failed
}

/** Backends are started only when they are asked something. */
async function testFile({ config: inputs, cases }: WorkflowCaseFile, args: Args): Promise<Tested[]> {
  const loaded = await loadWorkflows({
    inputs: [...inputs],
    group: args.text('group'),
    recursive: args.on('recursive'),
  })
  const { config } = loaded
  if (!args.on('connect') && !cases.some(isReal)) {
    return testCases(cases, uncheckedComposites(config), UNASKED, undefined)
  }
  const { served, principal } = actingAs(args, loaded)
  return withGateway(served, async (gateway) => {
    const { core, current } = gateway
    const real: RealCalls<Context> = {
      call: (step, signal) => callStep(core, step, signal, (workflow) => current.composites.names.get(workflow)),
      context: contextOf(principal, undefined),
    }
    return testCases(cases, await compositesIn(gateway), current.keeper.tools, real)
  })
}

const isReal = ({ real }: FiledCase): boolean => real === true || real.length > 0

async function testCases(
  cases: readonly FiledCase[],
  composites: readonly Composite[],
  tools: Tools,
  real: RealCalls<Context> | undefined,
): Promise<Tested[]> {
  const subjects = new Map<string, Subject>()
  const tested: Tested[] = []
  for (const one of cases) {
    const composite = pick(composites, one.workflow)
    const { inputSchema } = composite.compiled
    const subject = subjects.get(one.workflow) ?? subjectOf({ plan: planOf(composite), inputSchema }, tools)
    subjects.set(one.workflow, subject)
    tested.push({ one, outcome: await runCase(one, subject, real) })
  }
  return tested
}

const titleOf = ({ name, workflow, arguments: given }: FiledCase): string =>
  name ?? `${workflow} ${JSON.stringify(given)}`

function judgedOf({ one, outcome }: Tested): Judged {
  const { passed, problems } = outcome
  const { dim } = paintFor(process.stdout)
  const slips = problems.map((problem) => formatFault(problemFault(one, problem)))
  return {
    title: titleOf(one),
    passed,
    details: passed ? slips : [...slips, ...storyOf(outcome).map((line) => dim(`  ${line}`))],
  }
}

/** What the steps were called with, for whoever has to find out. */
function storyOf({ seen }: CaseOutcome): string[] {
  if (!seen) return []
  const { steps, calls } = seen
  return [
    ...steps.map(({ id, status, error }) => `${id}: ${status}${error === undefined ? '' : `, ${error}`}`),
    ...(calls.length === 0 ? [] : [`${count(calls.length, 'call')}:`]),
    ...calls.map(({ step, tool, arguments: given }) => `  ${step} -> ${tool} ${JSON.stringify(given)}`),
  ]
}

function rowOf({ one, outcome }: Tested) {
  const { name, workflow, node } = one
  const { passed, problems, seen } = outcome
  return {
    ...(name !== undefined && { name }),
    workflow,
    file: node.at.file,
    line: node.at.line,
    passed,
    problems: problems.map((problem) => ({ ...problem, path: problem.path.join('.') })),
    ...(seen && { seen }),
  }
}
