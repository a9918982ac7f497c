import { formatFault } from '../../config/format.ts'
import type { Context } from '../../model/call.ts'
import type { Composite } from '../../gateway/workflows/composites.ts'
import { callStep } from '../../gateway/workflows/step-call.ts'
import { type Tools, UNASKED } from '../../gateway/workflows/offers.ts'
import type { RealCalls } from '../../workflow/testing/call-tools.ts'
import { type CaseOutcome, runCase } from '../../workflow/testing/run-case.ts'
import { type Subject, subjectOf } from '../../workflow/testing/subject.ts'
import { actingAs } from '../acting-as.ts'
import type { Args } from '../args.ts'
import { EXIT, usageError } from '../exit.ts'
import { withGateway } from '../session.ts'
import { count, paintFor, print } from '../terminal.ts'
import { type CaseFile, type FiledCase, problemFault, readWorkflowCases } from './cases.ts'
import { contextOf } from './run.ts'
import { compositesIn, loadWorkflows, pick, planOf, uncheckedComposites } from './subject.ts'

interface Tested {
  one: FiledCase
  outcome: CaseOutcome
}

/** `vmcp workflow test`: runs files of cases, with answers that the cases hold, or real ones. */
export async function testWorkflows(files: readonly string[], args: Args): Promise<number> {
  if (files.length === 0) throw usageError('name the file of cases to test', 'workflow')
  const tested: Tested[] = []
  for (const file of readWorkflowCases(files)) tested.push(...(await testFile(file, args)))
  const failed = tested.filter(({ outcome }) => !outcome.passed)
  if (args.on('json')) print(JSON.stringify(tested.map(rowOf), null, 2))
  else {
    const paint = paintFor(process.stdout)
    for (const { one, outcome } of tested) {
      print(`${outcome.passed ? paint.good('passed') : paint.bad('failed')}  ${titleOf(one)}`)
      for (const problem of outcome.problems) print(`  ${formatFault(problemFault(one, problem))}`)
      if (!outcome.passed) for (const line of storyOf(outcome)) print(paint.dim(`    ${line}`))
    }
    print(`${tested.length - failed.length} passed, ${failed.length} failed`)
  }
  return failed.length > 0 ? EXIT.failed : EXIT.ok
}

/** Backends are started only when they are asked something. */
async function testFile({ config: inputs, cases }: CaseFile, args: Args): Promise<Tested[]> {
  const loaded = await loadWorkflows({
    inputs: [...inputs],
    group: args.text('group'),
    recursive: args.on('recursive'),
  })
  const { config } = loaded
  if (!args.on('connect') && !cases.some(isReal)) {
    return testCases(cases, uncheckedComposites(config), UNASKED, undefined)
  }
  const { served, principal } = actingAs(args, loaded, 'workflow')
  return withGateway(served, async (gateway) => {
    const { core, current } = gateway
    const real: RealCalls<Context> = {
      call: (step, signal) => callStep(core, step, signal),
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
