import { describe, expect, test } from 'vitest'
import type { AuthoredCompositeTool } from '../../config/schema/composite.ts'
import type { JsonObject } from '../../model/json.ts'
import { DEFAULT_WORKFLOW_LIMITS } from '../../model/settings.ts'
import { compile } from '../compile/compile.ts'
import type { Offer, World } from '../compile/world.ts'
import { CLOCK, type StepCall, StepError, wait } from '../run/ports.ts'
import type { RealCalls } from './call-tools.ts'
import type { Canned, Expectation, UserAnswer, WorkflowCase } from './case.ts'
import { type CaseOutcome, runCase } from './run-case.ts'
import { type Subject, subjectOf } from './subject.ts'

const object = (properties: JsonObject, required: string[] = []): JsonObject => ({
  type: 'object',
  properties,
  required,
})
const TEXT = { type: 'string' }
const OFFERS: Readonly<Record<string, Offer>> = {
  git_status: { shown: 'git_status', inputSchema: object({}), outputSchema: object({ dirty: { type: 'boolean' } }) },
  git_push: {
    shown: 'git_push',
    inputSchema: object({ branch: { type: 'string', maxLength: 10 } }, ['branch']),
    outputSchema: object({ sha: TEXT }, ['sha']),
  },
  say: { shown: 'say', inputSchema: object({ text: TEXT }, ['text']) },
  odd: { shown: 'odd', inputSchema: { type: 'object', properties: { x: { pattern: '(' } } } },
}

function subject(definition: object, others: readonly object[] = []): Subject {
  const named = new Map(others.map((one) => [(one as AuthoredCompositeTool).name, one as AuthoredCompositeTool]))
  const world: World = {
    tool: (name) => {
      const shown = name.replace('.', '_')
      return (Object.hasOwn(OFFERS, shown) ? OFFERS[shown] : undefined) ?? 'not known yet'
    },
    tools: () => Object.keys(OFFERS),
    workflow: (name) => named.get(name),
    workflows: () => named.keys(),
    limits: DEFAULT_WORKFLOW_LIMITS,
  }
  const { plan, faults, inputSchema } = compile(definition as AuthoredCompositeTool, world)
  if (!plan) throw new Error(JSON.stringify(faults))
  return subjectOf({ plan, inputSchema }, world)
}

interface Given extends Partial<Omit<WorkflowCase, 'tools' | 'answers' | 'expect'>> {
  tools?: Record<string, Canned>
  answers?: Record<string, UserAnswer>
  expect?: Partial<Omit<Expectation, 'steps'>> & { steps?: Record<string, object> }
}

const caseOf = ({ tools = {}, answers = {}, expect = {}, ...rest }: Given): WorkflowCase => ({
  workflow: 'release',
  arguments: {},
  real: [],
  ...rest,
  tools: new Map(Object.entries(tools)),
  answers: new Map(Object.entries(answers)),
  expect: {
    status: 'completed',
    exactly: false,
    ...expect,
    steps: new Map(Object.entries(expect.steps ?? {}).map(([id, step]) => [id, { exactly: false, ...step }])),
  },
})

const run = (given: Given, of: Subject = RELEASE, real?: RealCalls<string>) => runCase(caseOf(given), of, real)

/** As people read it, without the place in a file. */
const told = ({ problems }: CaseOutcome): string[] =>
  problems.map(({ path, message, hint }) => `${path.join('.')}: ${message}${hint === undefined ? '' : ` (${hint})`}`)

const RELEASE = subject({
  name: 'release',
  parameters: object({ branch: { type: 'string', default: 'main' }, loud: { type: 'boolean', default: false } }),
  steps: [
    { id: 'status', tool: 'git.status' },
    {
      id: 'push',
      tool: 'git.push',
      condition: '{{ steps.status.output.dirty }}',
      arguments: { branch: '{{ params.branch }}' },
      onError: { action: 'retry', retryCount: 2, retryDelay: '10m' },
      defaultResults: { sha: 'none' },
    },
  ],
  timeout: '2h',
  output: { properties: { sha: { type: 'string', value: '{{ steps.push.output.sha }}' } } },
})
const DIRTY = { git_status: { output: { dirty: true } } }
const PUSHED = { output: { sha: 'abc' } }

describe('passes', () => {
  test('when run, output, steps, arguments and calls are as expected', async () => {
    const outcome = await run({
      tools: { ...DIRTY, git_push: PUSHED },
      expect: {
        output: { sha: 'abc' },
        exactly: true,
        steps: { status: { status: 'completed' }, push: { arguments: { branch: 'main' }, output: { sha: 'abc' } } },
        calls: ['git.status', 'push'],
      },
    })
    expect(told(outcome)).toEqual([])
    expect(outcome).toMatchObject({
      passed: true,
      seen: {
        outcome: { status: 'completed', output: { sha: 'abc' } },
        steps: [{ id: 'status' }, { id: 'push', attempts: 1, status: 'completed' }],
        calls: [
          { step: 'status', tool: 'git_status', arguments: {}, real: false },
          { step: 'push', tool: 'git_push', attempt: 1, arguments: { branch: 'main' } },
        ],
      },
    })
  })

  test('a skipped step, and what it never called', async () => {
    const outcome = await run({
      tools: { status: { output: { dirty: false } } },
      expect: { output: { sha: 'none' }, steps: { push: { status: 'skipped' } }, calls: new Map([['git_push', 0]]) },
    })
    expect(told(outcome)).toEqual([])
  })

  test('retries with their delays take no time, and have the answers of a list in turn', async () => {
    const began = performance.now()
    const outcome = await run({
      tools: { ...DIRTY, push: [{ error: 'busy' }, { error: 'still busy' }, PUSHED] },
      expect: { output: { sha: 'abc' }, calls: ['status', 'push', 'push', 'push'] },
    })
    expect(told(outcome)).toEqual([])
    expect(outcome.seen?.steps[1]).toMatchObject({ attempts: 3 })
    expect(outcome.seen?.steps[1]?.ms).toBeGreaterThan(600_000)
    expect(performance.now() - began).toBeLessThan(1_000)
    const again = await run({ tools: { ...DIRTY, push: [{ error: 'busy' }, { error: 'still busy' }, PUSHED] } })
    expect(again.seen?.steps).toEqual(outcome.seen?.steps)
  })

  test('a run that fails as expected', async () => {
    const outcome = await run({
      tools: { ...DIRTY, push: { error: 'remote: rejected' } },
      expect: { status: 'failed', error: 'rejected', steps: { push: { status: 'failed', error: 'remote' } } },
    })
    expect(told(outcome)).toEqual([])
  })

  test('a tool that takes longer than its step, or than the run', async () => {
    const slow = await run({
      tools: { status: { output: { dirty: true }, takesMs: 6 * 60_000 } },
      expect: { status: 'failed', steps: { status: { error: 'No result within 300000 ms' } } },
    })
    expect(told(slow)).toEqual([])
    const short = subject({ name: 'w', timeout: '1m', steps: [{ id: 'a', tool: 'git_status' }] })
    const over = await run({ tools: { a: { output: {}, takesMs: 120_000 } }, expect: { status: 'timed_out' } }, short)
    expect(told(over)).toEqual([])
  })

  test('text and content reach templates as those of a real tool', async () => {
    const of = subject({
      name: 'w',
      steps: [
        { id: 'a', tool: 'unknown.tool' },
        { id: 'b', tool: 'say', arguments: { text: '{{ steps.a.output.text }} at {{ now }}' } },
      ],
    })
    const content = [{ type: 'text', text: 'hello' }]
    const given = { tools: { 'unknown.tool': { content }, say: { content: [] } }, now: Date.UTC(2030, 5, 1) }
    const outcome = await run(given, of)
    expect(told(outcome)).toEqual([])
    expect(outcome.seen?.calls[1]?.arguments).toEqual({ text: expect.stringMatching(/^hello at 2030-06-01T00:00:00/u) })
  })
})

describe('fails', () => {
  test.each<[string, Given, string[]]>([
    [
      'another status',
      { tools: { ...DIRTY, git_push: { error: 'rejected' } }, expect: { output: { sha: 'abc' } } },
      ['expect.status: expected completed, got failed: rejected'],
    ],
    [
      'another output',
      { tools: { ...DIRTY, git_push: PUSHED }, expect: { output: { sha: 'x', url: 'y' } } },
      ['expect.output.sha: expected "x", got "abc"', 'expect.output.url: expected "y", got nothing'],
    ],
    [
      'more output',
      { tools: { ...DIRTY, git_push: PUSHED }, expect: { output: {}, exactly: true } },
      ['expect.output: unexpected sha: "abc"'],
    ],
    [
      'another status of a step',
      {
        tools: { ...DIRTY, git_push: PUSHED },
        expect: { steps: { push: { status: 'skipped' }, status: { status: 'failed', error: 'no' } } },
      },
      [
        'expect.steps.push.status: expected skipped, got completed',
        'expect.steps.status.status: expected failed, got completed',
        'expect.steps.status.error: expected "no" in it, got nothing',
      ],
    ],
    [
      'another error',
      { tools: { ...DIRTY, git_push: { error: 'rejected' } }, expect: { status: 'failed', error: 'lost' } },
      ['expect.error: expected "lost" in it, got "rejected"'],
    ],
    [
      'other arguments',
      { tools: { ...DIRTY, git_push: PUSHED }, expect: { steps: { push: { arguments: { branch: 'dev' } } } } },
      ['expect.steps.push.arguments.branch: expected "dev", got "main"'],
    ],
    [
      'arguments of a step that was skipped',
      { tools: { status: { output: { dirty: false } } }, expect: { steps: { push: { arguments: {} } } } },
      ['expect.steps.push.arguments: the step was not called, it is skipped'],
    ],
    [
      'calls in another order, or others',
      { tools: { ...DIRTY, git_push: PUSHED }, expect: { calls: ['git_push', 'git_status'] } },
      ['expect.calls.0: call 1: expected git_push, got git_status of the step "status"'],
    ],
    [
      'a call that is missing',
      { tools: { ...DIRTY, git_push: PUSHED }, expect: { calls: ['git_status', 'git_push', 'git_push'] } },
      ['expect.calls.2: call 3: expected git_push, got none'],
    ],
    [
      'more calls',
      { tools: { ...DIRTY, git_push: PUSHED }, expect: { calls: new Map([['push', 0]]) } },
      ['expect.calls.push: expected 0 calls, got 1 call'],
    ],
  ])('for %s', async (_, given, problems) => {
    const outcome = await run(given)
    expect(told(outcome)).toEqual(problems)
    expect(outcome.passed).toBe(false)
    expect(outcome.seen).toBeDefined()
  })

  test.each<[string, Given, string[]]>([
    [
      'a tool without an answer',
      { tools: DIRTY },
      [
        'tools: "push" calls git_push, and the case has no answer (write tools: {git_push: {output: {sha: ...}}}, or real: [git_push])',
      ],
    ],
    [
      'a list that is used up',
      { tools: { ...DIRTY, push: [{ error: 'a' }, { error: 'b' }] } },
      [
        'tools.push: "push" calls git_push: the list has answers for 2 calls, and there is another one (add an answer, or write one without a list for all calls)',
      ],
    ],
    [
      'answers for other arguments',
      { tools: { ...DIRTY, push: { ...PUSHED, when: { branch: 'dev' } } } },
      [
        'tools.push: "push" calls git_push: no answer is for the arguments {"branch":"main"} (add an answer whose when has them, or one without when)',
      ],
    ],
    [
      'arguments that the tool does not take',
      { arguments: { branch: 'a-very-long-one' }, tools: { ...DIRTY, push: PUSHED } },
      [
        'tools.push: "push" calls git_push: it does not take the arguments {"branch":"a-very-long-one"}: branch must NOT have more than 10 characters (it answers with an error)',
      ],
    ],
  ])('a run that cannot go on: %s', async (_, given, problems) => {
    const outcome = await run({ ...given, expect: { status: 'failed' } })
    expect(told(outcome)).toEqual(problems)
    expect(outcome.seen?.outcome.status).toBe('cancelled')
  })

  test.each<[string, Given, string[]]>([
    ['arguments', { arguments: { branch: 1 } }, ['arguments: the workflow does not take them: branch must be string']],
    [
      'an answer that its tool never gives',
      { tools: { ...DIRTY, git_push: [PUSHED, { output: { sha: 1 } }, { content: [] }, { error: 'x' }] } },
      [
        'tools.git_push.1.output: git_push never gives this: sha must be string',
        'tools.git_push.2: git_push declares what it gives, so it never answers without it (write output: {sha: ...})',
      ],
    ],
    [
      'names',
      {
        tools: { git_pusch: PUSHED, constructor: PUSHED },
        answers: { push: { action: 'accept' }, ask: { action: 'accept' } },
        expect: { steps: { pusch: {}, toString: {} }, calls: new Map([['valueOf', 1]]) },
      },
      [
        'tools.git_pusch: the workflow calls no "git_pusch" (did you mean "git_push"?)',
        'tools.constructor: the workflow calls no "constructor" (there is "status", "push", "git_status", "git_push")',
        'answers.push: "push" calls a tool (what a tool answers stands under tools)',
        'answers.ask: there is no question "ask"',
        'expect.steps.pusch: there is no step "pusch" (did you mean "push"?)',
        'expect.steps.toString: there is no step "toString" (there is "status", "push")',
        'expect.calls.valueOf: the workflow calls no "valueOf" (there is "status", "push", "git_status", "git_push")',
      ],
    ],
    [
      'the same tool twice',
      { tools: { 'git.push': PUSHED, git_push: PUSHED } },
      ['tools.git_push: "git.push" is the same tool (keep one of them)'],
    ],
    ['real calls where there are none', { real: true }, ['real: no tool can be called here']],
  ])('before it runs: %s', async (_, given, problems) => {
    const outcome = await run(given)
    expect(told(outcome)).toEqual(problems)
    expect(outcome.seen).toBeUndefined()
  })

  test('with a bounded number of problems', async () => {
    const steps = Object.fromEntries(Array.from({ length: 1_000 }, (_, at) => [`no${at}`, {}]))
    const problems = told(await run({ expect: { steps } }))
    expect(problems).toHaveLength(21)
    expect(problems.at(-1)).toBe(': there are 980 more problems')
  })
})

test('a schema that cannot be used says nothing', async () => {
  const of = subject({ name: 'w', steps: [{ id: 'a', tool: 'odd', arguments: { x: '1' } }] })
  expect(told(await run({ tools: { odd: { content: [] } } }, of))).toEqual([])
})

describe('loops', () => {
  const LOOP = subject({
    name: 'w',
    parameters: object({ names: { type: 'array' } }),
    steps: [
      {
        id: 'all',
        type: 'forEach',
        collection: '{{ params.names }}',
        step: { id: 'greet', tool: 'say', arguments: { text: '{{ forEach.item }}' }, onError: { action: 'continue' } },
      },
    ],
  })
  const names = { arguments: { names: ['ann', 'bob', 'eve'] } }
  const text = (text: string) => ({ content: [{ type: 'text', text }] })

  test.each<[string, Record<string, Canned>]>([
    ['the tool, in turn', { say: [text('1'), { error: 'no' }, text('3')] }],
    ['the loop', { all: [text('1'), { error: 'no' }, text('3')] }],
    ['the step within', { greet: [text('1'), { error: 'no' }, text('3')] }],
    ['single iterations', { say: text('1'), 'all[1]': { error: 'no' }, 'all[2]': text('3') }],
    [
      'arguments',
      { say: [{ error: 'no', when: { text: 'bob' } }, { ...text('3'), when: { text: 'eve' } }, text('1')] },
    ],
  ])('answered by %s', async (_, tools) => {
    const outcome = await run(
      {
        ...names,
        tools,
        expect: {
          output: {
            iterations: [
              { item: 'ann', output: { text: '1' } },
              { status: 'failed', error: 'no' },
              { output: { text: '3' } },
            ],
            completed: 2,
          },
          steps: { 'all[1]': { status: 'failed', arguments: { text: 'bob' } }, all: { output: { failed: 1 } } },
          calls: new Map([['greet', 3]]),
        },
      },
      LOOP,
    )
    expect(told(outcome)).toEqual([])
  })

  test('iterations that lack an answer lack the same one; names that are many', async () => {
    expect(told(await run(names, LOOP))).toEqual([
      'tools: "all[0]" calls say, and the case has no answer (write tools: {say: {text: ...}}, or real: [say])',
    ])
    const { passed, ...outcome } = await run({ ...names, expect: { steps: { greet: {}, 'all[x]': {} } } }, LOOP)
    expect(passed).toBe(false)
    expect(told({ passed, ...outcome })).toEqual([
      'expect.steps.greet: "greet" runs once for each item (write all[0])',
      'expect.steps.all[x]: there is no step "all[x]" (there is "all", "greet")',
    ])
    const late = await run({ ...names, tools: { say: text('') }, expect: { steps: { 'all[7]': {} } } }, LOOP)
    expect(told(late)).toEqual(['expect.steps.all[7]: it never began'])
  })
})

describe('questions', () => {
  const ASKING = {
    name: 'inner',
    parameters: object({ branch: TEXT }, ['branch']),
    steps: [
      {
        id: 'approve',
        type: 'elicitation',
        message: 'Push {{ params.branch }}?',
        schema: object({ ok: { type: 'boolean' } }, ['ok']),
        onDecline: { action: 'skip_remaining' },
      },
      {
        id: 'push',
        tool: 'git_push',
        condition: '{{ steps.approve.output.content.ok }}',
        arguments: { branch: '{{ params.branch }}' },
      },
    ],
  }
  const ALONE = subject(ASKING)
  const WITHIN = subject(
    { name: 'outer', steps: [{ id: 'ship', type: 'workflow', workflow: 'inner', arguments: { branch: 'main' } }] },
    [ASKING],
  )
  const branch = { arguments: { branch: 'main' } }
  const YES: UserAnswer = { action: 'accept', content: { ok: true } }

  test('accepted, declined and cancelled', async () => {
    const push = { git_push: PUSHED }
    const accepted = { ...branch, tools: push, answers: { approve: YES }, expect: { output: { sha: 'abc' } } }
    expect(told(await run(accepted, ALONE))).toEqual([])
    const declined: Given = {
      ...branch,
      answers: { approve: { action: 'decline' } },
      expect: { steps: { approve: { output: { action: 'decline' } }, push: { status: 'skipped' } }, calls: [] },
    }
    expect(told(await run(declined, ALONE))).toEqual([])
    const cancelled: Given = {
      ...branch,
      answers: { approve: { action: 'cancel' } },
      expect: { status: 'failed', error: 'cancelled the question', steps: { push: { status: 'cancelled' } } },
    }
    expect(told(await run(cancelled, ALONE))).toEqual([])
  })

  test('without an answer, or with one that the form does not take', async () => {
    const hint = 'write answers: {approve: {action: accept, content: {ok: ...}}}, or action: decline or cancel'
    expect(told(await run(branch, ALONE))).toEqual([
      `answers: "approve" asks "Push main?", and the case has no answer (${hint})`,
    ])
    const wrong: [UserAnswer, string][] = [
      [{ action: 'accept' }, "the form does not take this: the value must have required property 'ok'"],
      [{ action: 'accept', content: { ok: 'yes' } }, 'the form does not take this: ok must be boolean'],
      [{ action: 'decline', content: { ok: true } }, 'who answers decline gives no content'],
    ]
    for (const [approve, problem] of wrong) {
      const outcome = await run({ ...branch, answers: { approve } }, ALONE)
      expect(told(outcome)).toEqual([`answers.approve.content: ${problem}`])
    }
    const misplaced = await run({ ...branch, tools: { approve: { content: [] } }, answers: { approv: YES } }, ALONE)
    expect(told(misplaced)).toEqual([
      'tools.approve: "approve" is a question (write answers: {approve: {action: accept}})',
      'answers.approv: there is no question "approv" (did you mean "approve"?)',
    ])
  })

  test('in a nested workflow, whose steps are named after its own', async () => {
    const given: Given = {
      workflow: 'outer',
      tools: { 'ship.push': PUSHED },
      answers: { 'ship.approve': YES },
      expect: {
        output: { sha: 'abc' },
        steps: {
          ship: { arguments: { branch: 'main' } },
          'ship.push': { status: 'completed', arguments: { branch: 'main' } },
        },
        calls: ['ship.push'],
      },
    }
    expect(told(await run(given, WITHIN))).toEqual([])
    expect(told(await run({ ...given, tools: { ship: PUSHED } }, WITHIN))).toEqual([
      'tools.ship: "ship" calls no tool itself (there is "ship.push")',
    ])
  })
})

describe('real calls', () => {
  const calling = (call: RealCalls<string>['call']): RealCalls<string> => ({ call, context: 'me' })
  const pushing = (made: StepCall<string>[]) =>
    calling((step) => {
      made.push(step)
      return Promise.resolve({ output: { sha: 'real' } })
    })

  test('are made of what is named, and of all that has no canned answer', async () => {
    const made: StepCall<string>[] = []
    for (const real of [['git.push'], ['push'], true] as const) {
      const outcome = await run({ tools: DIRTY, real, expect: { output: { sha: 'real' } } }, RELEASE, pushing(made))
      expect(told(outcome)).toEqual([])
      expect(outcome.seen?.calls.map((call) => call.real)).toEqual([false, true])
    }
    expect(made.map(({ context, tool }) => [context, tool])).toEqual([
      ['me', 'git_push'],
      ['me', 'git_push'],
      ['me', 'git_push'],
    ])
    expect(new Set(made.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(3)
    const both = await run({ tools: { push: PUSHED }, real: ['push'] }, RELEASE, pushing(made))
    expect(told(both)).toEqual(['real.0: "push" has canned answers as well (keep one of them)'])
  })

  test('fail as they do, and are not made when canned answers are for others', async () => {
    const denying = calling(() => Promise.reject(new StepError('denied', 'You may not')))
    const expected: Given['expect'] = { status: 'failed', error: 'You may not', calls: ['status', 'push'] }
    expect(told(await run({ tools: DIRTY, real: true, expect: expected }, RELEASE, denying))).toEqual([])
    const made: StepCall<string>[] = []
    const given: Given = { tools: { ...DIRTY, push: { ...PUSHED, when: { branch: 'dev' } } }, real: true }
    expect((await run(given, RELEASE, pushing(made))).passed).toBe(false)
    expect(made).toEqual([])
  })

  test('take their time, what is canned does not', async () => {
    const of = subject({
      name: 'w',
      timeout: '5h',
      steps: [
        { id: 'fast', tool: 'say', arguments: { text: '1' }, timeout: '2h' },
        { id: 'slow', tool: 'git_status', timeout: '50ms', dependsOn: ['fast'], onError: { action: 'continue' } },
        { id: 'then', tool: 'say', arguments: { text: '2' }, timeout: '2h', dependsOn: ['slow'] },
      ],
    })
    const began = performance.now()
    const hanging = calling(() => new Promise(() => {}))
    const outcome = await run(
      {
        tools: { say: { content: [], takesMs: 3_600_000 } },
        real: true,
        expect: { steps: { slow: { status: 'failed' } } },
      },
      of,
      hanging,
    )
    expect(told(outcome)).toEqual([])
    const took = performance.now() - began
    expect(took).toBeGreaterThan(45)
    expect(took).toBeLessThan(1_000)
    expect(outcome.seen?.steps[2]?.ms).toBeGreaterThanOrEqual(3_600_000)
  })

  test('may ask the user', async () => {
    const asking = calling(async (step, signal) => {
      await wait(CLOCK, 5, signal)
      const answer = await step.ask({ method: 'elicitation/create', params: { message: 'Sure?', requestedSchema: {} } })
      return { output: { sha: answer['action'] ?? null } }
    })
    const given: Given = { tools: DIRTY, real: true, expect: { output: { sha: 'accept' } } }
    const answered = await run({ ...given, answers: { push: { action: 'accept' } } }, RELEASE, asking)
    expect(told(answered)).toEqual([])
    expect(told(await run(given, RELEASE, asking))).toEqual([
      'answers: "push" asks "Sure?", and the case has no answer (write answers: {push: {action: accept, content: {...}}}, or action: decline or cancel)',
    ])
    const sampling = calling(async (step, signal) => {
      await wait(CLOCK, 5, signal)
      return { output: await step.ask({ method: 'sampling/createMessage' }) }
    })
    expect(told(await run(given, RELEASE, sampling))).toEqual([
      'real: the tool of "push" asks for "sampling/createMessage", which no case can answer (give the tool a canned answer)',
    ])
  })
})

test('cases leave nothing behind for the next one', async () => {
  const given: Given = { tools: { ...DIRTY, git_push: [PUSHED] }, expect: { output: { sha: 'abc' } } }
  for (let at = 0; at < 500; at++) expect(told(await run(given))).toEqual([])
})
