import { expect, test } from 'vitest'
import type { AuthoredCompositeTool } from '../../config/schema/composite.ts'
import type { JsonObject, JsonValue } from '../../model/json.ts'
import { EvaluationError, type PlannedLoop, type PlannedQuestion, type PlannedTool, type Scope } from '../plan.ts'
import { compile } from './compile.ts'
import { DEFAULT_WORKFLOW_LIMITS, type WorkflowLimits } from '../../model/settings.ts'
import type { Offer, World } from './world.ts'

const object = (properties: JsonObject, required: string[] = [], more: JsonObject = {}): JsonObject => ({
  type: 'object',
  properties,
  required,
  ...more,
})
const offer = (shown: string, inputSchema: JsonObject, more: Partial<Offer> = {}): Offer => ({
  shown,
  inputSchema,
  ...more,
})

const OFFERS: Offer[] = [
  offer('echo', object({ message: { type: 'string' } }, ['message'])),
  offer(
    'add',
    object(
      { a: { type: 'number' }, b: { type: 'integer' }, exact: { type: 'boolean' }, mode: { enum: ['up', 'down'] } },
      ['a', 'b'],
    ),
    { outputSchema: object({ sum: { type: 'number' }, how: object({ mode: { type: 'string' } }) }) },
  ),
  offer('list', object({ limit: { type: 'integer' } }), {
    annotations: { readOnlyHint: true },
    outputSchema: object({
      items: { type: 'array', items: object({ id: { type: 'integer' }, name: { type: 'string' } }) },
    }),
  }),
  offer(
    'files_write',
    object({ path: { type: 'string' }, lines: { type: 'array', items: { type: 'string' } } }, ['path']),
  ),
  offer('anything', { type: 'object' }),
  offer('open', object({ a: { type: 'string' } }, [], { additionalProperties: true })),
]

function world(workflows: readonly object[] = [], limits: Partial<WorkflowLimits> = {}): World {
  const offers = new Map(OFFERS.map((one) => [one.shown, one]))
  const named = new Map(workflows.map((one) => [(one as AuthoredCompositeTool).name, one as AuthoredCompositeTool]))
  return {
    tool: (name) => (name === 'later.tool' ? 'not known yet' : (offers.get(name.replace('math.', '')) ?? 'unknown')),
    tools: () => offers.keys(),
    workflow: (name) => named.get(name),
    workflows: () => named.keys(),
    limits: { ...DEFAULT_WORKFLOW_LIMITS, ...limits },
  }
}

const define = (steps: object[], more: object = {}): AuthoredCompositeTool =>
  ({ name: 'w', parameters: PARAMETERS, steps, ...more }) as AuthoredCompositeTool

const PARAMETERS = object({ title: { type: 'string' }, count: { type: 'integer' }, names: { type: 'array' } }, [
  'title',
])

function told(definition: AuthoredCompositeTool, where: World = world()): string[] {
  return compile(definition, where).faults.map(({ path, offset, message, hint, severity }) => {
    const place = path
      .map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`))
      .join('')
      .slice(1)
    const at = offset === undefined ? '' : `@${offset}`
    return `${severity === 'error' ? '' : 'warning '}${place}${at}: ${message}${hint === undefined ? '' : ` (${hint})`}`
  })
}

const ECHO = { id: 'a', tool: 'echo', arguments: { message: 'x' } }
const ADD = { id: 'sum', tool: 'add', arguments: { a: 1, b: 2 } }
const LIST = { id: 'list', tool: 'list' }
const say = (message: string, more: object = {}) => ({ id: 'say', tool: 'echo', arguments: { message }, ...more })
const ask = (more: object) => ({ id: 'ask', type: 'elicitation', message: 'Well?', ...more })
const each = (more: object, inner: object = ECHO) => ({
  id: 'each',
  type: 'forEach',
  collection: '{{ steps.list.output.items }}',
  step: inner,
  ...more,
})

const ROWS: [string, AuthoredCompositeTool, string[]][] = [
  [
    'an unknown tool',
    define([{ ...ECHO, tool: 'ecko' }]),
    ['steps[0].tool: there is no tool "ecko" (did you mean "echo"?)'],
  ],
  [
    'a tool whose backend is away',
    define([{ id: 'a', tool: 'later.tool', arguments: { x: 1 } }]),
    ['warning steps[0].tool: the tool "later.tool" is not known yet, so its arguments are unchecked'],
  ],
  [
    'a composite as a tool',
    define([{ id: 'a', tool: 'other' }]),
    ['steps[0].tool: there is no tool "other" ("other" is a composite tool: write type: workflow and workflow: other)'],
  ],
  ['no tool', define([{ id: 'a' }]), ['steps[0].tool: a step of type tool needs tool']],
  [
    'a forgotten type',
    define([{ id: 'a', message: 'Well?' }]),
    ['steps[0].tool: a step of type tool needs tool (write type: elicitation)'],
  ],
  [
    'a key of another kind',
    define([{ ...ECHO, message: 'x' }]),
    ['steps[0].message: message goes with type elicitation, not with tool'],
  ],
  [
    'an unknown step',
    define([{ ...ECHO, dependsOn: ['b'] }]),
    ['steps[0].dependsOn[0]: there is no step "b" (there is "a")'],
  ],
  [
    'an unknown step in a template',
    define([ADD, say('{{ steps.sun.output.sum }}')]),
    ['steps[1].arguments.message@3: there is no step "sun" (did you mean "sum"?)'],
  ],
  [
    'a step that waits for itself',
    define([{ ...ECHO, dependsOn: ['a'] }]),
    ['steps[0].dependsOn[0]: the step "a" waits for itself'],
  ],
  [
    'a step that reads itself',
    define([say('{{ steps.say.status }}')]),
    ['steps[0].arguments.message@3: the step "say" reads itself'],
  ],
  [
    'a circle by data and by order',
    define([{ ...ECHO, dependsOn: ['sum'] }, { ...ADD, dependsOn: ['say'] }, say('{{ steps.a.output.text }}')]),
    ['steps[2].arguments.message@3: the steps wait for each other: "a" -> "sum" -> "say" -> "a"'],
  ],
  ['two steps of one id', define([ECHO, ECHO]), ['steps[1].id: a second step "a" (give it another id)']],
  [
    'a step in a loop with a taken id',
    define([LIST, each({}, { ...ECHO, id: 'list' })]),
    ['steps[1].step.id: a second step "list" (give it another id)'],
  ],
  [
    'an unknown argument',
    define([{ ...ECHO, arguments: { message: 'x', mesage: 'y' } }]),
    ['steps[0].arguments.mesage: there is no argument "mesage" (did you mean "message"?)'],
  ],
  [
    'a required argument',
    define([{ id: 'a', tool: 'add', arguments: { b: 2 } }]),
    ['steps[0].arguments: the argument "a" is required (give it a number)'],
  ],
  [
    'a literal of the wrong type',
    define([{ id: 'a', tool: 'add', arguments: { a: 'plenty', b: 1.5 } }]),
    [
      'steps[0].arguments.a: expected a number, found "plenty"',
      'steps[0].arguments.b: expected a whole number, found 1.5',
    ],
  ],
  [
    'a literal outside of an enum',
    define([{ id: 'a', tool: 'add', arguments: { a: 1, b: 2, mode: 'upp' } }]),
    ['steps[0].arguments.mode: expected one of "up", "down", found "upp" (did you mean "up"?)'],
  ],
  [
    'an item of a list',
    define([{ id: 'a', tool: 'files_write', arguments: { path: 'x', lines: ['a', 3] } }]),
    ['steps[0].arguments.lines[1]: expected text, found 3'],
  ],
  [
    'texts that convert exactly',
    define([{ id: 'a', tool: 'add', arguments: { a: '100', b: '2', exact: 'true' } }]),
    [],
  ],
  ['an open schema', define([{ id: 'a', tool: 'open', arguments: { b: 1 } }]), []],
  ['a schema that names nothing', define([{ id: 'a', tool: 'anything', arguments: { b: 1 } }]), []],
  [
    'a path that the output does not have',
    define([ADD, say('{{ steps.sum.output.summ }} {{ steps.sum.output.how.mod }}')]),
    [
      'steps[1].arguments.message@3: the output of "sum" has no "summ" (did you mean "sum"?)',
      'steps[1].arguments.message@31: "how" in the output of "sum" has no "mod" (did you mean "mode"?)',
    ],
  ],
  [
    'the same, where a default stands',
    define([ADD, say('{{ default 1 steps.sum.output.summ }}')]),
    ['warning steps[1].arguments.message@13: the output of "sum" has no "summ" (did you mean "sum"?)'],
  ],
  [
    'a part of a step that there is not',
    define([ADD, say('{{ steps.sum.outptu }}')]),
    ['steps[1].arguments.message@3: a step has no "outptu" (did you mean "output"?)'],
  ],
  [
    'an output that is not declared',
    define([ECHO, say('{{ steps.a.output.body }}')]),
    [
      'warning steps[1].arguments.message@3: the tool of "a" declares no output, so nobody knows whether it has "body" (read output.text, or give it a default)',
    ],
  ],
  ['its text', define([ECHO, say('{{ steps.a.output.text }}{{ steps.a.content.text_1 }}')]), []],
  [
    'all steps at once',
    define([ECHO, say('{{ json steps }}')]),
    ['steps[1].arguments.message@8: a template cannot read all steps at once (name the steps, as in steps.ID.output)'],
  ],
  [
    'an unknown root',
    define([say('{{ parms.title }}')]),
    ['steps[0].arguments.message@3: templates know no "parms" (did you mean "params"?)'],
  ],
  [
    'a root of old documents',
    define([say('at {{ .timestamp }}')]),
    ['steps[0].arguments.message@6: templates know no "timestamp" (write now)'],
  ],
  [
    'an unknown parameter',
    define([say('{{ .params.titel }}')]),
    ['steps[0].arguments.message@3: there is no parameter "titel" (did you mean "title"?)'],
  ],
  [
    'no parameters at all',
    define([say('{{ params.x }}')], { parameters: undefined }),
    ['steps[0].arguments.message@3: there is no parameter "x" (declare it under parameters)'],
  ],
  ['the older name of params', define([say('{{ .parameters.title }}')]), []],
  [
    'an unknown member of workflow',
    define([say('{{ workflow.nmae }}')]),
    ['steps[0].arguments.message@3: workflow has no "nmae" (did you mean "name"?)'],
  ],
  [
    'loop variables outside of a loop',
    define([say('{{ forEach.item }}')]),
    ['steps[0].arguments.message@3: templates know no "forEach" (only a step inside of a loop has it)'],
  ],
  [
    'what cannot be parsed',
    define([say('Hello {{ params.title ')]),
    ['steps[0].arguments.message@6: "{{" is not closed by "}}" (write a literal {{ as {{ "{{" }})'],
  ],
  [
    'a condition that is always false, and who waits for it',
    define([{ ...ECHO, condition: 'false' }, say('{{ steps.a.status }}')]),
    [
      'steps[0].condition: the condition is always false, so the step never runs (leave the step out)',
      'steps[1].arguments.message@3: "say" never runs: it waits for "a", which never does',
    ],
  ],
  [
    'a condition that is always true',
    define([{ ...ECHO, condition: '{{ eq 1 1 }}' }]),
    ['steps[0].condition: the condition is always true (leave it out)'],
  ],
  [
    'a condition that is no boolean',
    define([{ ...ECHO, condition: 'perhaps' }]),
    [
      'steps[0].condition: the condition is neither true nor false: a condition must give true or false, got a string ("perhaps") (write a template, such as {{ params.wanted }})',
    ],
  ],
  [
    'a step that may be skipped',
    define([{ ...ADD, condition: '{{ gt params.count 1 }}' }, say('{{ steps.sum.output.sum }}')]),
    [
      'warning steps[1].arguments.message@3: "sum" may be skipped, and then its output is not there (give the step defaultResults, or ask for it in a condition or with a default)',
    ],
  ],
  [
    'a step that may fail',
    define([{ ...ADD, onError: { action: 'continue' } }, say('{{ steps.sum.output.sum }}')]),
    [
      'warning steps[1].arguments.message@3: "sum" may fail while the run goes on, and then its output is not there (give the step defaultResults, or ask for it in a condition or with a default)',
    ],
  ],
  [
    'default results without what is read',
    define([
      { ...ADD, condition: '{{ gt params.count 1 }}', defaultResults: { total: 1 } },
      say('{{ steps.sum.output.sum }}'),
    ]),
    [
      'warning steps[1].arguments.message@3: "sum" may be skipped, and its defaultResults have no "sum" (add it there, or give it a default here)',
    ],
  ],
  [
    'default results, guards, conditions, optional arguments',
    define([
      { ...ADD, condition: '{{ gt params.count 1 }}' },
      { ...ADD, id: 'other', condition: '{{ gt params.count 1 }}', defaultResults: { sum: 0 } },
      say('{{ steps.other.output.sum }} {{ default 1 steps.sum.output.sum }}'),
      say('{{ steps.sum.output.sum }}', { id: 'x', condition: '{{ eq steps.sum.status "completed" }}' }),
      { id: 'y', tool: 'list', arguments: { limit: '{{ steps.sum.output.sum }}' } },
    ]),
    [],
  ],
  [
    'a question that may stay without answer',
    define([
      ask({ onDecline: { action: 'continue' } }),
      say('{{ steps.ask.output.action }} {{ steps.ask.output.response }}'),
    ]),
    [
      'warning steps[1].arguments.message@33: "ask" has no answer when the user declines, and then its output is not there (give the step defaultResults, or ask for it in a condition or with a default)',
    ],
  ],
  [
    'a field that was not asked for',
    define([ask({}), say('{{ steps.ask.output.content.respons }}')]),
    ['steps[1].arguments.message@3: "content" in the output of "ask" has no "respons" (did you mean "response"?)'],
  ],
  [
    'a form that clients cannot show',
    define([ask({ schema: { type: 'boolean' } })]),
    [
      'steps[0].schema.type: the schema of a question must be of type object (put the value into a property: {type: object, properties: {answer: ...}})',
    ],
  ],
  [
    'a nested form',
    define([ask({ schema: object({ who: object({}), n: { type: 'integer', pattern: 'x' } }, ['wo']) })]),
    [
      'steps[0].schema.properties.who.type: expected a field of type string, number, integer, boolean or array of choices, found "object" (clients can show text, numbers, yes or no, and choices, but nothing nested)',
      `steps[0].schema.properties.n.pattern: a question's field of type integer cannot have "pattern"`,
      'steps[0].schema.required[0]: there is no field "wo" (did you mean "who"?)',
    ],
  ],
  [
    'no message',
    define([{ id: 'ask', type: 'elicitation' }]),
    ['steps[0].message: a step of type elicitation needs message'],
  ],
  [
    'an address that is none',
    define([ask({ url: 'example.com' })]),
    ['steps[0].url: expected a URL that begins with http:// or https://'],
  ],
  [
    'a question in a loop',
    define([LIST, each({}, { id: 'q', type: 'elicitation', message: 'x' })]),
    ['steps[1].step.type: a question cannot stand inside of a loop (there is tool and workflow)'],
  ],
  [
    'a loop in a loop',
    define([LIST, each({}, { id: 'q', type: 'forEach', collection: '[]', step: ECHO })]),
    ['steps[1].step.type: another loop cannot stand inside of a loop (there is tool and workflow)'],
  ],
  [
    'a loop that lacks things',
    define([{ id: 'l', type: 'forEach' }]),
    [
      'steps[0].collection: a step of type forEach needs collection',
      'steps[0].step: a step of type forEach needs step',
    ],
  ],
  [
    'a collection that is no list',
    define([each({ collection: '{"a": 1}' })]),
    [
      'steps[0].collection: the collection is no list: "{\\"a\\": 1}" (write a template that gives a list, or a JSON list)',
    ],
  ],
  [
    'a name of an item',
    define([LIST, each({ itemVar: 'index' })]),
    [
      'steps[1].itemVar: "index" cannot be the name of an item (take letters, digits and "_", and no name that templates have already)',
    ],
  ],
  [
    'limits of loops',
    define([LIST, each({ maxIterations: 1001, maxParallel: 11 })]),
    [
      'steps[1].maxIterations: a loop has at most 1000 iterations, found 1001 (raise workflowLimits.iterations)',
      'steps[1].maxParallel: at most 10 iterations run at once, found 11 (raise workflowLimits.parallel)',
    ],
  ],
  [
    'items and their members',
    define([
      LIST,
      each(
        { itemVar: 'one' },
        { id: 'in', tool: 'echo', arguments: { message: '{{ one.name }}{{ forEach.one.nmae }}' } },
      ),
    ]),
    ['steps[1].step.arguments.message@17: forEach.one has no "nmae" (did you mean "name"?)'],
  ],
  [
    'the item in the collection',
    define([LIST, each({ collection: '{{ forEach.item }}' })]),
    ['steps[1].collection@3: templates know no "forEach" (only a step inside of a loop has it)'],
  ],
  [
    'a step in a loop read from outside',
    define([LIST, each({}, { ...ADD, id: 'in' }), say('{{ steps.in.output.sum }}')]),
    ['steps[2].arguments.message@3: the step "in" is inside of the loop "each" (read steps.each.output.iterations)'],
  ],
  [
    'what a loop gives',
    define([
      LIST,
      each({}, { ...ADD, id: 'in' }),
      say('{{ steps.each.output.iterations.[0].output.sum }}{{ steps.each.output.iterations.[0].item.nam }}'),
    ]),
    ['steps[2].arguments.message@52: "iterations.0.item" in the output of "each" has no "nam" (did you mean "name"?)'],
  ],
  [
    'order in a loop',
    define([LIST, each({}, { ...ECHO, dependsOn: ['list'] })]),
    ['steps[1].step.dependsOn: a step inside of a loop cannot wait for others (let the loop wait for them)'],
  ],
  [
    'durations',
    define([{ ...ECHO, timeout: '5 minutes' }], { timeout: '0s' }),
    ['timeout: expected more than 0s', 'steps[0].timeout: expected a duration such as 30s, found "5 minutes"'],
  ],
  [
    'retries',
    define([
      { ...ECHO, onError: { action: 'retry' } },
      { ...ADD, onError: { action: 'retry', maxRetries: 11 } },
      { ...LIST, onError: { action: 'abort', maxRetries: 2, retryCount: 3 } },
    ]),
    [
      'steps[0].onError.action: the action "retry" needs a retryCount of 1 or more',
      'warning steps[1].onError.maxRetries: no step is retried more than 10 times (write 10)',
      'steps[2].onError.maxRetries: maxRetries is another spelling of retryCount, and they differ',
      'warning steps[2].onError.retryCount: retryCount has no effect with action "abort" (write action: retry)',
    ],
  ],
  [
    'variables made of variables',
    define([{ ...ADD, outputMapping: { x: '{{ vars.x }}' } }]),
    ['steps[0].outputMapping.x@3: a variable cannot be made of variables (read the steps)'],
  ],
  [
    'a variable of the same step',
    define([{ ...ECHO, arguments: { message: '{{ vars.x }}' }, outputMapping: { x: 'text' } }]),
    ['steps[0].arguments.message@3: "x" comes from the output of the same step'],
  ],
  ['a name', define([ECHO], { name: 'né' }), ['name: a name consists of letters, digits, ".", "_" and "-"']],
  ['a long name', define([ECHO], { name: 'n'.repeat(65) }), ['name: a name has at most 64 characters']],
  [
    'parameters that are no schema',
    define([ECHO], { parameters: { type: 'strin', properties: { a: { type: 'integr' } } } }),
    [
      'parameters.type: parameters are a JSON Schema of type object',
      'parameters.type: there is no type "strin" (did you mean "string"?)',
      'parameters.properties.a.type: there is no type "integr" (did you mean "integer"?)',
    ],
  ],
  [
    'a default that does not fit',
    define([ECHO], {
      parameters: object({ n: { type: 'integer', default: 'many' }, m: { type: 'integer', default: '3' } }),
    }),
    ['parameters.properties.n.default: the default does not fit: expected a whole number, found "many"'],
  ],
  [
    'outputs',
    define([ADD], {
      output: {
        required: ['c', 'sum'],
        properties: {
          sum: { type: 'number', value: '{{ steps.sum.output.smu }}' },
          a: { type: 'strng', value: 'x' },
          b: { value: 'x', properties: {} },
          d: { type: 'integer', value: '1', default: 'x' },
          e: { type: 'array', items: { type: 'nix' }, value: '[]' },
        },
      },
    }),
    [
      'output.required[0]: the output has no "c" (there is "sum", "a", "b", "d", "e")',
      'output.properties.a.type: there is no type "strng" (did you mean "string"?)',
      'output.properties.b.properties: "b" has both value and properties (keep one of them)',
      'output.properties.d.default: expected a whole number, found "x"',
      'output.properties.e.items.type: there is no type "nix" (there is "string", "number", "integer", "boolean", "null", "object", "array")',
      'output.properties.sum.value@3: the output of "sum" has no "smu" (did you mean "sum"?)',
    ],
  ],
  [
    'an output that nobody makes',
    define([ADD], { output: { properties: { sum: { type: 'number' } } } }),
    [
      'warning output.properties.sum: "sum" has no value, and is taken from the last step whose output has "sum" (write value)',
    ],
  ],
  [
    'variables',
    define([
      { ...ADD, outputMapping: { total: 'sum', '1': 'x', bad: 3 } },
      say('{{ vars.totl }}'),
      { ...LIST, outputMapping: { total: 'items', more: 'output.itms', most: '{{ steps.list.output.itms }}' } },
    ]),
    [
      'steps[0].outputMapping.1: "1" cannot be the name of a variable',
      'steps[0].outputMapping.bad: expected a path into the output, or a template',
      'steps[2].outputMapping.total: a second variable "total"',
      'steps[2].outputMapping.more: the output of "list" has no "itms" (did you mean "items"?)',
      'steps[2].outputMapping.most@3: the output of "list" has no "itms" (did you mean "items"?)',
      'steps[1].arguments.message@3: there is no variable "totl" (did you mean "total"?)',
    ],
  ],
]

test.each(ROWS)('checks: %s', (_label, definition, expected) => {
  expect(told(definition, world([{ name: 'other', steps: [ECHO] }]))).toEqual(expected)
})

test('a definition with warnings has a plan, one with errors has none', () => {
  for (const [, definition, lines] of ROWS) {
    const { plan } = compile(definition, world([{ name: 'other', steps: [ECHO] }]))
    expect(plan !== undefined).toBe(lines.every((line) => line.startsWith('warning')))
  }
})

test('a step behind a question that does not wait for it is told of', () => {
  const asked = ask({ id: 'sure' })
  const said = (more: object) => told(define([ADD, asked, say('x', more)])).filter((one) => one.includes('question'))
  expect(said({})).toEqual([
    'warning steps[2]: "say" does not wait for the question "sure": it runs whatever the user answers (write dependsOn: [sure], or put it before the question)',
  ])
  expect(said({ dependsOn: ['sure'] })).toEqual([])
  expect(said({ condition: '{{ eq steps.sure.output.action "accept" }}' })).toEqual([])
  expect(told(define([say('x'), asked])).filter((one) => one.includes('question'))).toEqual([])
  const first = told(define([ask({ id: 'sure', message: 'Say {{ steps.say.output.text }}?' }), say('x')]))
  expect(first.filter((one) => one.includes('question'))).toEqual([])
})

test('a loop asks nothing, by no detour', () => {
  const asks = { name: 'asks', steps: [ask({})] }
  const outer = { name: 'outer', steps: [{ id: 'in', type: 'workflow', workflow: 'asks' }] }
  const loop = each({ collection: '[1]' }, { id: 'run', type: 'workflow', workflow: 'outer' })
  expect(told(define([loop]), world([asks, outer]))).toEqual([
    expect.stringContaining('"outer" asks the user, and a loop cannot (ask before the loop, or after it)'),
  ])
})

test('what a step never has is wrong, whatever is made of what is missing', () => {
  expect(told(define([ADD, say('x', { condition: '{{ not steps.sum.isClean }}' })]))).toEqual([
    expect.stringContaining('a step has no "isClean"'),
  ])
})

test('a workflow that many steps run is compiled once', () => {
  const level = (n: number) => ({
    name: `l${n}`,
    steps: Array.from({ length: 60 }, (_, i) => ({ id: `s${i}`, type: 'workflow', workflow: `l${n + 1}` })),
  })
  const last = { name: 'l5', steps: [{ id: 'a', tool: 'echo', arguments: { message: 'x' } }] }
  const started = performance.now()
  expect(told(level(1) as AuthoredCompositeTool, world([level(2), level(3), level(4), last]))).toEqual([])
  expect(performance.now() - started).toBeLessThan(2_000)
})

test('a workflow within another begins by asking whether it may', () => {
  const inner = {
    name: 'inner',
    parameters: object({ text: { type: 'string' } }),
    steps: [ECHO, { ...ADD, dependsOn: ['a'] }],
  }
  const run = { id: 'run', type: 'workflow', workflow: 'inner', arguments: { text: 'x' } }
  const [step] = planOf(define([run]), world([inner])).steps
  expect(step).toMatchObject({
    plan: {
      steps: [
        { enters: 'inner', workflow: 'w', after: [], repeatable: true },
        { id: 'a', workflow: 'inner', after: [0] },
        { id: 'sum', workflow: 'inner', after: [0, 1] },
      ],
    },
  })
})

test('too many steps', () => {
  const steps = Array.from({ length: 4 }, (_, index) => ({ ...ECHO, id: `s${index}` }))
  expect(told(define(steps), world([], { steps: 3 }))).toEqual([
    'steps: a workflow has at most 3 steps, found 4 (raise workflowLimits.steps, or put some into a workflow of their own)',
  ])
})

test('nested workflows: unknown, circles, depth, faults of their own, parameters', () => {
  const run = (workflow: string, more: object = {}) => ({ id: `run-${workflow}`, type: 'workflow', workflow, ...more })
  const named = (name: string, steps: object[], more: object = {}) => ({ name, steps, ...more })
  const all = world(
    [
      named('w', [run('b')]),
      named('b', [run('c')]),
      named('c', [run('w')]),
      named('broken', [{ ...ECHO, tool: 'nix' }]),
      named('loop', [LIST, each({}, run('loop'))]),
      named('fine', [say('{{ params.text }}')], {
        parameters: object({ text: { type: 'string', default: 'hello' }, times: { type: 'integer' } }, ['times']),
        output: { properties: { said: { type: 'string', value: '{{ steps.say.output.text }}' } } },
      }),
      ...[1, 2, 3, 4, 5].map((level) => named(`d${level}`, [level === 5 ? ECHO : run(`d${level + 1}`)])),
    ],
    { depth: 4 },
  )
  expect(told(define([run('nix')]), all)[0]).toContain('steps[0].workflow: there is no composite tool "nix"')
  expect(told(define([run('echo')]), all)).toEqual([
    'steps[0].workflow: there is no composite tool "echo" ("echo" is a tool: write type: tool and tool: echo)',
  ])
  expect(told(define([run('b')]), all)).toEqual([
    'steps[0].workflow: a workflow cannot run itself: "w" -> "b" -> "c" -> "w"',
  ])
  expect(told(define([run('loop')]), all)).toEqual([
    'steps[0].workflow: a workflow cannot run itself: "loop" -> "loop"',
  ])
  expect(told(define([run('broken')]), all)).toEqual([
    'steps[0].workflow: the composite tool "broken" has faults of its own (there is no tool "nix")',
  ])
  expect(told(define([run('d3')]), all)).toEqual([])
  expect(told(define([run('d2')]), all)).toEqual([
    'steps[0].workflow: the composite tool "d2" has faults of its own (workflows are nested more than 4 deep)',
  ])
  expect(told(define([run('fine', { arguments: { txt: 'x' } })]), all)).toEqual([
    'steps[0].arguments.txt: there is no parameter "txt" (did you mean "text"?)',
    'steps[0].arguments: the parameter "times" is required (give it a whole number)',
  ])
  const fine = define([
    run('fine', { arguments: { times: '{{ params.count }}' } }),
    say('{{ steps.run-fine.output.sad }}'),
  ])
  expect(told(fine, all)).toEqual([
    'steps[1].arguments.message@3: the output of "run-fine" has no "sad" (did you mean "said"?)',
  ])
  const { plan, needs } = compile(define([run('fine', { arguments: { times: '{{ params.count }}' } })]), all)
  const [step] = plan?.steps ?? []
  expect(step?.kind === 'workflow' && step.arguments(scope({ count: 3 }), 0)).toEqual({ times: 3, text: 'hello' })
  expect(() => step?.kind === 'workflow' && step.arguments(scope({ count: 'x' }), 0)).toThrow(
    'the argument "times" must be a whole number, and is "x"',
  )
  const wrong = 'the arguments are not what "fine" asks for: times must be integer'
  expect(() => step?.kind === 'workflow' && step.arguments(scope({ count: true }), 0)).toThrow(wrong)
  expect([...needs]).toEqual(['echo'])
})

test('to a step that has ended its tools matter no more, nor those of a workflow that it has run', () => {
  const gone = { ...ECHO, id: 'gone', tool: 'nix' }
  const all = world([{ name: 'inner', steps: [gone] }])
  const nested = { id: 'nested', type: 'workflow', workflow: 'inner' }
  for (const steps of [[gone], [LIST, each({}, gone)], [nested]]) {
    const id = steps.at(-1)!.id
    const faults = (ended: string[]) =>
      compile(define(steps), { ...all, ended: new Set(ended) }).faults.filter(({ severity }) => severity === 'error')
    expect(faults([])).toHaveLength(1)
    expect(faults([id])).toEqual([])
    // An inner step may have the id of an outer one.
    expect(faults(id === 'gone' ? [] : ['gone'])).toHaveLength(1)
  }
})

const scope = (params: JsonObject, steps: Record<string, JsonValue> = {}): Scope => ({
  params,
  steps: Object.fromEntries(Object.entries(steps).map(([id, output]) => [id, { status: 'completed', output }])),
  workflow: { id: 'r', name: 'w', status: 'running' },
})

function planOf(definition: AuthoredCompositeTool, where?: World) {
  const { plan, faults } = compile(definition, where ?? world())
  expect(faults.filter(({ severity }) => severity === 'error')).toEqual([])
  if (!plan) throw new Error('no plan')
  return plan
}

test('steps wait for what they say and for what they mention; else they keep their order', () => {
  const plan = planOf(
    define([
      say('{{ steps.sum.output.sum }}'),
      { ...ECHO, condition: '{{ gt (len steps.list.output.items) 0 }}' },
      LIST,
      ADD,
      { ...ADD, id: 'last', dependsOn: ['a', 'list'], arguments: { a: '{{ steps.a.output.text }}', b: 1 } },
      { ...LIST, id: 'free' },
    ]),
  )
  expect(plan.steps.map(({ id, after }) => [id, after.map((place) => plan.steps[place]?.id)])).toEqual([
    ['list', []],
    ['a', ['list']],
    ['sum', []],
    ['say', ['sum']],
    ['last', ['list', 'a']],
    ['free', []],
  ])
})

test('arguments keep their types, convert exactly, are left out where nothing is needed', () => {
  const plan = planOf(
    define(
      [
        {
          id: 'sum',
          tool: 'math.add',
          arguments: { a: '{{ .params.title }}', b: '12', exact: '{{ params.flag }}', mode: 'up' },
        },
        { id: 'w', tool: 'files_write', arguments: { path: '{{ .params.count }}', lines: '{{ params.names }}' } },
      ],
      { parameters: object({ title: {}, count: {}, names: {}, flag: {} }) },
    ),
  )
  const [sum, write] = plan.steps as [PlannedTool, PlannedTool]
  expect(sum.tool).toBe('add')
  expect(sum.arguments(scope({ title: '1.5' }), 0)).toEqual({ a: 1.5, b: 12, mode: 'up' })
  expect(sum.arguments(scope({ title: 2, flag: 'true' }), 0)).toEqual({ a: 2, b: 12, exact: true, mode: 'up' })
  expect(() => sum.arguments(scope({ title: 'plenty' }), 0)).toThrow(
    new EvaluationError('the argument "a" must be a number, and is "plenty"'),
  )
  expect(() => sum.arguments(scope({}), 0)).toThrow(EvaluationError)
  expect(write.arguments(scope({ count: 7, names: ['x'] }), 0)).toEqual({ path: '7', lines: ['x'] })
  expect(write.arguments(scope({ count: 7, names: '["x", "y"]' }), 0)).toEqual({ path: '7', lines: ['x', 'y'] })
})

test('a step is repeatable when its author or the tool says so', () => {
  const plan = planOf(define([ECHO, LIST, { ...ADD, idempotent: true }, { ...LIST, id: 'x', idempotent: false }]))
  expect(plan.steps.map((step) => step.kind === 'tool' && step.repeatable)).toEqual([false, true, true, false])
})

test('a condition over a skipped step is false, and over a missing path an error', () => {
  const plan = planOf(
    define([
      { ...ADD, condition: '{{ gt params.count 1 }}' },
      say('x', { condition: '{{ gt steps.sum.output.sum 2 }}' }),
      say('x', { id: 'z', condition: '{{ or (eq steps.sum.status "skipped") (gt steps.sum.output.sum 2) }}' }),
    ]),
  )
  const [, guarded, either] = plan.steps
  const skipped: Scope = { ...scope({}), steps: { sum: { status: 'skipped' } } }
  expect(guarded?.condition?.(skipped, 0)).toBe(false)
  expect(either?.condition?.(skipped, 0)).toBe(true)
  expect(guarded?.condition?.(scope({}, { sum: { sum: 3 } }), 0)).toBe(true)
  expect(() => guarded?.condition?.(scope({}, { sum: {} }), 0)).toThrow(EvaluationError)
})

test('questions: words, forms, addresses, and the answers beside the action', () => {
  const plan = planOf(
    define([
      ask({ message: 'Say {{ params.title }}', onDecline: { action: 'skip_remaining' } }),
      ask({ id: 'open', url: '{{ params.title }}', timeout: '1h' }),
      say('{{ steps.ask.output.response }}/{{ steps.ask.output.content.response }}/{{ steps.ask.output.action }}'),
    ]),
  )
  const [free, open, answer] = plan.steps as [PlannedQuestion, PlannedQuestion, PlannedTool]
  expect(free.ask(scope({ title: 'hi' }), 0)).toEqual({
    mode: 'form',
    message: 'Say hi',
    schema: { type: 'object', properties: { response: { type: 'string' } }, required: ['response'] },
  })
  expect([free.onDecline, free.onCancel]).toEqual(['skip_remaining', 'abort'])
  expect([free.ownTimeout, open.ownTimeout, open.timeoutMs]).toEqual([undefined, true, 3_600_000])
  expect(open.ask(scope({ title: 'https://x/y' }), 0)).toEqual({ mode: 'url', message: 'Well?', url: 'https://x/y' })
  expect(() => open.ask(scope({ title: 'javascript:1' }), 0)).toThrow(EvaluationError)
  const answered = scope({}, { ask: { action: 'accept', content: { response: 'yes' } } })
  expect(answer.arguments(answered, 0)).toEqual({ message: 'yes/yes/accept' })
})

test('loops: lists, lists in JSON, items under their names', () => {
  const plan = planOf(
    define([
      LIST,
      each(
        { itemVar: 'one', maxParallel: 3 },
        {
          id: 'in',
          tool: 'echo',
          condition: '{{ gt one.id 1 }}',
          arguments: { message: '{{ one.name }}{{ forEach.index }}{{ forEach.one.name }}{{ forEach.item.name }}' },
        },
      ),
    ]),
  )
  const loop = plan.steps[1] as PlannedLoop
  expect(loop).toMatchObject({ itemVar: 'one', maxParallel: 3, maxIterations: 100, after: [0], step: { after: [] } })
  expect(loop.collection(scope({}, { list: { items: [1] } }), 0)).toEqual([1])
  expect(loop.collection(scope({}, { list: { items: '[1, 2]' } }), 0)).toEqual([1, 2])
  expect(() => loop.collection(scope({}, { list: { items: 'x' } }), 0)).toThrow(EvaluationError)
  const one = { id: 2, name: 'n' }
  const inside: Scope = { ...scope({}), forEach: { item: one, one, index: 0 } }
  expect(loop.step.condition?.(inside, 0)).toBe(true)
  expect(loop.step.arguments(inside, 0)).toEqual({ message: 'n0nn' })
})

test('outputMapping names parts of outputs', () => {
  const plan = planOf(
    define([
      say('{{ vars.total }} {{ vars.twice }}'),
      { ...ADD, outputMapping: { total: 'output.sum', twice: '{{ mul steps.sum.output.sum 2 }}' } },
    ]),
  )
  expect(plan.steps.map(({ id, after }) => [id, after])).toEqual([
    ['sum', []],
    ['say', [0]],
  ])
  const said = plan.steps[1] as PlannedTool
  expect(said.arguments(scope({}, { sum: { sum: 4 } }), 0)).toEqual({ message: '4 8' })
})

test('the output is made, converted, filled with defaults and checked', () => {
  const plan = planOf(
    define([ADD, ECHO], {
      output: {
        required: ['total'],
        properties: {
          total: { type: 'integer', value: '{{ .steps.sum.output.sum }}' },
          label: { type: 'string', value: '{{ steps.sum.output.sum }}' },
          list: { type: 'array', items: { type: 'integer' }, value: '{{ steps.a.output.text }}' },
          mode: { type: 'string', value: '{{ steps.sum.output.how.mode }}', default: 'none' },
          rest: { type: 'string', value: '{{ steps.sum.output.how.mode }}' },
          more: { type: 'object', properties: { flag: { type: 'boolean', value: 'true' } } },
          whole: { value: { sum: '{{ steps.sum.output.sum }}' } },
        },
      },
    }),
  )
  const make = (sum: JsonValue, text: JsonValue) => plan.output?.(scope({}, { sum: { sum }, a: { text } }), 0)
  expect(make('12', '[1, 2]')).toEqual({
    total: 12,
    label: '12',
    list: [1, 2],
    mode: 'none',
    more: { flag: true },
    whole: { sum: '12' },
  })
  expect(() => make('x', '[1]')).toThrow('the output "total" must be a whole number, and is "x"')
  expect(() => make(1, '["a"]')).toThrow('the output is not what it is declared to be: list.0 must be integer')
  expect(() => plan.output?.(scope({}, { sum: {}, a: { text: '[]' } }), 0)).toThrow('steps.sum.output.sum')
})

test('retries, delays and times', () => {
  const plan = planOf(
    define([{ ...ECHO, timeout: '10s', onError: { action: 'retry', maxRetries: 2, retryDelay: '500ms' } }, ADD], {
      timeout: '1h',
      failureMode: 'continue',
    }),
  )
  expect(plan).toMatchObject({ timeoutMs: 3_600_000, failureMode: 'continue', maxParallel: 10 })
  expect(plan.steps).toMatchObject([
    { timeoutMs: 10_000, onError: { action: 'retry', retries: 2, delayMs: 500 } },
    { timeoutMs: 300_000, onError: { action: 'abort', retries: 0, delayMs: 1000 } },
  ])
})
