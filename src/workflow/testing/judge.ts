import type { JsonObject } from '../../model/json.ts'
import type { Outcome } from '../run-state.ts'
import type { Expectation, Problem, StepExpectation } from './case.ts'
import { differences } from './compare.ts'
import type { StepOutcome } from './step-outcomes.ts'

/** A call that a step has made. */
export interface MadeCall {
  /** Its id in words, such as `deploy[2].push`. */
  readonly step: string
  /** As clients see it. */
  readonly tool: string
  readonly attempt: number
  readonly arguments: JsonObject
  readonly real: boolean
}

/** What came of a run. */
export interface Seen {
  readonly outcome: Outcome
  readonly steps: readonly StepOutcome[]
  /** In the order in which they were made. */
  readonly calls: readonly MadeCall[]
}

/** By which names of a case a call is meant. */
export type Meant = (call: MadeCall, name: string) => boolean

/** Where a run is not what is expected. */
export function judge(expect: Expectation, seen: Seen, isMeant: Meant): Problem[] {
  return [
    ...judgeOutcome(expect, seen.outcome),
    ...[...expect.steps].flatMap(([id, wanted]) => judgeStep(id, wanted, seen)),
    ...judgeCalls(expect.calls, seen.calls, isMeant),
  ]
}

function judgeOutcome({ status, error, output, exactly }: Expectation, outcome: Outcome): Problem[] {
  const path = ['expect']
  const told = outcome.status === 'completed' ? '' : `: ${outcome.error.message}`
  if (outcome.status !== status) {
    return [{ path: [...path, 'status'], message: `expected ${status}, got ${outcome.status}${told}` }]
  }
  if (outcome.status === 'completed') {
    return output === undefined ? [] : differences(output, outcome.output, [...path, 'output'], exactly)
  }
  return judgeError(error, outcome.error.message, [...path, 'error'])
}

function judgeError(expected: string | undefined, actual: string | undefined, path: Problem['path']): Problem[] {
  if (expected === undefined || actual?.includes(expected)) return []
  const got = actual === undefined ? 'nothing' : JSON.stringify(actual)
  return [{ path, message: `expected ${JSON.stringify(expected)} in it, got ${got}` }]
}

function judgeStep(id: string, expected: StepExpectation, { steps, calls }: Seen): Problem[] {
  const path = ['expect', 'steps', id]
  const step = steps.find((one) => one.id === id)
  if (!step) return [{ path, message: 'it never began' }]
  const { status, output, error, exactly } = expected
  const problems: Problem[] = []
  if (status !== undefined && status !== step.status) {
    const why = step.error === undefined ? '' : `: ${step.error}`
    problems.push({ path: [...path, 'status'], message: `expected ${status}, got ${step.status}${why}` })
  }
  if (expected.arguments) {
    const given = calls.findLast((call) => call.step === id)?.arguments ?? step.arguments
    const at = [...path, 'arguments']
    if (given) problems.push(...differences(expected.arguments, given, at, exactly))
    else problems.push({ path: at, message: `the step was not called, it is ${step.status}` })
  }
  if (output !== undefined) problems.push(...differences(output, step.output, [...path, 'output'], exactly))
  problems.push(...judgeError(error, step.error, [...path, 'error']))
  return problems
}

function judgeCalls(expected: Expectation['calls'], calls: readonly MadeCall[], isMeant: Meant): Problem[] {
  if (!expected) return []
  const path = ['expect', 'calls']
  if (!('length' in expected)) {
    return [...expected].flatMap(([name, count]) => {
      const made = calls.filter((call) => isMeant(call, name)).length
      return made === count ? [] : [{ path: [...path, name], message: `expected ${times(count)}, got ${times(made)}` }]
    })
  }
  const isRight = (call: MadeCall | undefined, name: string | undefined): boolean =>
    call !== undefined && name !== undefined && isMeant(call, name)
  const length = Math.max(expected.length, calls.length)
  for (let index = 0; index < length; index++) {
    const call = calls[index]
    const name = expected[index]
    if (isRight(call, name)) continue
    const got = call ? `${call.tool} of the step "${call.step}"` : 'none'
    return [{ path: [...path, index], message: `call ${index + 1}: expected ${name ?? 'none'}, got ${got}` }]
  }
  return []
}

const times = (count: number): string => (count === 1 ? '1 call' : `${count} calls`)
