import type { Cancellation } from '../../model/cancellation.ts'
import type { JsonObject } from '../../model/json.ts'
import { type Ports, type StepCall, type StepResult, wait } from '../run/ports.ts'
import { stepResult } from '../run/result.ts'
import { supplyOf, type Taken } from './canned.ts'
import type { CannedAnswer, Problem, WorkflowCase } from './case.ts'
import type { MadeCall } from './judge.ts'
import type { Subject } from './subject.ts'
import type { VirtualClock } from './virtual-clock.ts'
import { shown, sketch } from './words.ts'

/** How tools are really called. */
export interface RealCalls<Context> {
  readonly call: Ports<Context>['call']
  readonly context: Context
}

export interface Workbench<Context> {
  readonly one: WorkflowCase
  readonly subject: Subject
  readonly real: RealCalls<Context> | undefined
  readonly clock: VirtualClock
  /** The case has no way to go on. */
  readonly giveUp: (problem: Problem) => Promise<never>
}

/** Answers calls as the case says. `made`: all calls until now. */
export function callTools<Context>({ one, subject, real, clock, giveUp }: Workbench<Context>) {
  const { names, keyOf } = subject
  const supply = supplyOf(one.tools, subject)
  const outside = new Set(one.real === true ? [] : one.real.map(keyOf))
  const made: MadeCall[] = []

  const call = (step: StepCall<unknown>, signal: Cancellation): Promise<StepResult> => {
    const { tool, attempt, arguments: args } = step
    // Whoever tests a workflow may use it.
    if (step.enters !== undefined) return Promise.resolve({ output: {} })
    const known = [...names.namesOf(step.step), tool]
    const taken = supply.take(known, args)
    const goesOut = taken === 'none' && (one.real === true || known.some((name) => outside.has(name)))
    made.push({ step: step.step, tool, attempt, arguments: args, real: goesOut })
    if (taken === 'none') {
      if (!goesOut || !real) return giveUp(unanswered(step, subject))
      return clock.real(real.call({ ...step, context: real.context }, signal), signal)
    }
    const why = 'why' in taken ? taken.why : refusal(taken, step, subject)
    if (why) return giveUp({ ...why, message: `"${step.step}" calls ${tool}: ${why.message}` })
    return 'answer' in taken ? give(taken.answer, signal) : giveUp(taken.why)
  }

  const give = async (answer: CannedAnswer, signal: Cancellation): Promise<StepResult> => {
    if (answer.takesMs !== undefined) await wait(clock, answer.takesMs, signal)
    return stepResult(resultOf(answer))
  }

  return { call, made }
}

/** As the tool would give it. */
function resultOf({ output, content, error }: CannedAnswer): JsonObject {
  if (error !== undefined) return { isError: true, content: [{ type: 'text', text: error }] }
  return { ...(output !== undefined && { structuredContent: output }), content: [...(content ?? [])] }
}

/** The tool would not give this answer to these arguments. */
function refusal(
  { answer, path }: Taken,
  { tool, arguments: args }: StepCall<unknown>,
  subject: Subject,
): Problem | undefined {
  const schema = answer.error === undefined ? subject.tool(tool)?.inputSchema : undefined
  const problem = schema && subject.fits(schema)(args)
  if (problem === undefined) return undefined
  return {
    path,
    message: `it does not take the arguments ${shown(args)}: ${problem}`,
    hint: 'it answers with an error',
  }
}

function unanswered({ step, tool }: StepCall<unknown>, subject: Subject): Problem {
  const schema = subject.tool(tool)?.outputSchema
  const answer = schema ? `{output: ${sketch(schema)}}` : '{text: ...}'
  const message = `"${step}" calls ${tool}, and the case has no answer`
  return { path: ['tools'], message, hint: `write tools: {${tool}: ${answer}}, or real: [${tool}]` }
}
