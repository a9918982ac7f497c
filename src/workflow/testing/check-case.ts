import { suggest } from '../../model/nearest.ts'
import { applyDefaults } from '../schema/defaults.ts'
import type { Canned, CannedAnswer, Problem, WorkflowCase } from './case.ts'
import { placeOf } from './step-names.ts'
import type { Subject } from './subject.ts'
import { sketch } from './words.ts'

type Path = Problem['path']

/** What is wrong with a case before it runs: names that mean nothing, and answers that its tools never give. */
export function checkCase(one: WorkflowCase, subject: Subject, canCall: boolean): Problem[] {
  return [
    ...checkArguments(one, subject),
    ...checkTools(one, subject),
    ...checkReal(one, subject, canCall),
    ...checkAnswers(one, subject),
    ...checkExpectation(one, subject),
  ]
}

function checkArguments({ arguments: args }: WorkflowCase, { inputSchema, fits }: Subject): Problem[] {
  const problem = fits(inputSchema)(applyDefaults(inputSchema, args))
  if (problem === undefined) return []
  return [{ path: ['arguments'], message: `the workflow does not take them: ${problem}` }]
}

function checkTools({ tools }: WorkflowCase, subject: Subject): Problem[] {
  const seen = new Map<string, string>()
  return [...tools].flatMap(([key, canned]) => {
    const path = ['tools', key]
    const called = calledAs(key, path, subject)
    if (typeof called !== 'string') return [called]
    const canonical = subject.keyOf(key)
    const other = seen.get(canonical)
    if (other !== undefined) return [{ path, message: `"${other}" is the same tool`, hint: 'keep one of them' }]
    seen.set(canonical, key)
    return checkCanned(canned, called, path, subject)
  })
}

/** The tool that a step or a tool of this name calls; else what is wrong with the name. */
function calledAs(key: string, path: Path, { names, tool, keyOf }: Subject): string | Problem {
  const step = names.find(key)
  if (step?.tool !== undefined) return step.tool
  const shown = keyOf(key)
  if (names.tools.has(shown) || tool(key)) return shown
  if (step?.kind === 'question') {
    return { path, message: `"${key}" is a question`, hint: `write answers: {${key}: {action: accept}}` }
  }
  if (step) {
    const inner = names.list('tool').filter((name) => name.startsWith(`${key}.`))
    return { path, message: `"${key}" calls no tool itself`, ...hintOf(suggest(key, inner)) }
  }
  return { path, message: `the workflow calls no "${key}"`, ...hintOf(suggest(key, callers(names))) }
}

const callers = (names: Subject['names']): Set<string> => new Set([...names.list('tool'), ...names.tools])

function checkCanned(canned: Canned, called: string, path: Path, subject: Subject): Problem[] {
  const schema = subject.tool(called)?.outputSchema
  if (!schema) return []
  const check = (answer: CannedAnswer, at: Path): Problem[] => {
    if (answer.error !== undefined) return []
    if (answer.output === undefined) {
      const message = `${called} declares what it gives, so it never answers without it`
      return [{ path: at, message, hint: `write output: ${sketch(schema)}` }]
    }
    const problem = subject.fits(schema)(answer.output)
    if (problem === undefined) return []
    return [{ path: [...at, 'output'], message: `${called} never gives this: ${problem}` }]
  }
  if (!('length' in canned)) return check(canned, path)
  return canned.flatMap((answer, index) => check(answer, [...path, index]))
}

function checkReal({ real, tools }: WorkflowCase, subject: Subject, canCall: boolean): Problem[] {
  const isWanted = real === true || real.length > 0
  if (isWanted && !canCall) return [{ path: ['real'], message: 'no tool can be called here' }]
  if (real === true) return []
  return real.flatMap((key, index) => {
    const path = ['real', index]
    const called = calledAs(key, path, subject)
    if (typeof called !== 'string') return [called]
    if (!tools.has(key)) return []
    return [{ path, message: `"${key}" has canned answers as well`, hint: 'keep one of them' }]
  })
}

function checkAnswers({ answers, real }: WorkflowCase, { names }: Subject): Problem[] {
  const mayAsk = real === true || real.length > 0
  return [...answers.keys()].flatMap((key) => {
    const step = names.find(key)
    if (step?.kind === 'question' || (mayAsk && step?.tool !== undefined)) return []
    const path = ['answers', key]
    if (step?.tool !== undefined) {
      return [{ path, message: `"${key}" calls a tool`, hint: 'what a tool answers stands under tools' }]
    }
    return [{ path, message: `there is no question "${key}"`, ...hintOf(suggest(key, names.list('question'))) }]
  })
}

function checkExpectation({ expect }: WorkflowCase, subject: Subject): Problem[] {
  const { steps, calls } = expect
  const counted = calls instanceof Map ? [...calls.keys()].map((name) => [name, name] as const) : []
  const listed = Array.isArray(calls) ? calls.map((name: string, index) => [name, index] as const) : []
  return [
    ...[...steps.keys()].flatMap((key) => checkStep(key, subject)),
    ...[...counted, ...listed].flatMap(([name, key]) => {
      const called = calledAs(name, ['expect', 'calls', key], subject)
      return typeof called === 'string' ? [] : [called]
    }),
  ]
}

function checkStep(key: string, { names }: Subject): Problem[] {
  const path = ['expect', 'steps', key]
  const step = names.find(key)
  if (!step) {
    const all = names.list('tool', 'question', 'forEach', 'workflow')
    return [{ path, message: `there is no step "${key}"`, ...hintOf(suggest(key, all)) }]
  }
  if (placeOf(key) === step.place) return []
  return [{ path, message: `"${key}" runs once for each item`, hint: `write ${step.place.replaceAll('[]', '[0]')}` }]
}

const hintOf = (hint: string | undefined): { hint?: string } => (hint === undefined ? {} : { hint })
