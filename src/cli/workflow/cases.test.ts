import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { formatFault } from '../../config/format.ts'
import { problemFault, readWorkflowCases, WORKFLOW_CASES_FORMAT } from './cases.ts'

let root: string
let folder: string
let count = 0
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'vmcp-cases-'))
})
beforeEach(() => {
  folder = join(root, String(++count))
  mkdirSync(folder)
})
afterAll(() => rmSync(root, { recursive: true }))

function write(name: string, text: string): string {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}

/** Without the folder. */
function slip(text: string, name = 'x.test.yaml'): string {
  const file = write(name, text)
  try {
    readWorkflowCases([file])
  } catch (error) {
    return error instanceof Error ? error.message.replace(`${file}:`, '') : String(error)
  }
  return 'none'
}

test('the format as the help shows it', () => {
  const [, ...lines] = WORKFLOW_CASES_FORMAT
  const [file] = readWorkflowCases([write('help.test.yaml', lines.join('\n'))])
  expect(file?.config).toEqual([join(folder, 'vmcp.yaml')])
  const [{ node: _, ...one } = { node: undefined }] = file?.cases ?? []
  expect(one).toEqual({
    name: 'pushes when asked to',
    workflow: 'release',
    arguments: { branch: 'main' },
    now: Date.UTC(2026, 0, 31, 9),
    tools: new Map<string, unknown>([
      ['git_push', { output: { sha: 'abc' } }],
      [
        'fetch',
        [
          { error: 'busy', takesMs: 3_000 },
          { content: [{ type: 'text', text: 'done' }], when: { url: 'x' } },
        ],
      ],
    ]),
    real: ['git_log'],
    answers: new Map([['approve', { action: 'accept', content: { ok: true } }]]),
    expect: {
      status: 'completed',
      output: { sha: 'abc' },
      exactly: false,
      steps: new Map<string, unknown>([
        ['push', { status: 'completed', exactly: false }],
        ['fetch', { status: 'completed', arguments: { url: 'x' }, output: {}, error: 'text', exactly: false }],
      ]),
      calls: ['fetch', 'fetch', 'git_push'],
    },
  })
})

test('what is not said', () => {
  const [file] = readWorkflowCases([
    write(
      'a.test.json',
      '{"config": ["a", "/b.yaml"], "cases": [{"workflow": "w"}, {"workflow": "w", "expect": {"error": "no"}}]}',
    ),
  ])
  expect(file?.config).toEqual([join(folder, 'a'), '/b.yaml'])
  expect(file?.cases).toMatchObject([
    { workflow: 'w', arguments: {}, real: [], expect: { status: 'completed', exactly: false } },
    { expect: { status: 'failed', error: 'no' } },
  ])
})

test('which configuration is tested, and where its cases are', () => {
  const cases = 'cases: [{workflow: w}]'
  const configOf = (file: string) => readWorkflowCases([file]).flatMap(({ config }) => config)
  const alone = write('team.workflow.test.yaml', cases)
  expect(() => configOf(alone)).toThrow('config must name the configuration that is tested (config: vmcp.yaml)')
  const fallback = write('mcp.json', '{}')
  expect(configOf(alone)).toEqual([fallback])
  const named = write('team.yml', 'name: a\n---\nname: b')
  expect(configOf(alone)).toEqual([named])
  expect(readWorkflowCases([named, alone]).map(({ file }) => file)).toEqual([alone, alone])
  expect(() => configOf(fallback)).toThrow('has no cases, and no file of tests stands beside it')
  expect(() => configOf(join(folder, 'nowhere.yaml'))).toThrow('ENOENT')
  expect(() => configOf(folder)).toThrow('EISDIR')
})

test.each<[string, string]>([
  ['[]', '1:1: a file of cases must be a map'],
  ['text', '1:1: a file of cases must be a map'],
  ['', '1:1: cases must be a list of cases'],
  ['config: a.yaml', '1:1: cases must be a list of cases'],
  ['config: a.yaml\ncases: {}', '2:8 cases: cases must be a list'],
  ['config: a.yaml\ncases: []', '2:8 cases: cases must be a list of cases'],
  ['config: 1\ncases: []', '1:9 config: config must be a text'],
  ['config: []\ncases: [{workflow: w}]', '1:1: config must name the configuration that is tested (config: vmcp.yaml)'],
  ['cofnig: a.yaml\ncases: []', '1:1 cofnig: unknown key "cofnig" (did you mean "config"?)'],
  ['config: a\ncases: [1]', '2:9 cases[0]: a case must be a map'],
  ['config: a\ncases: [{}]', '2:9 cases[0]: a case needs a workflow (workflow: NAME)'],
  ['config: a\ncases: [{workflow: ""}]', '2:20 cases[0].workflow: workflow is empty'],
  ['config: a\ncases: [{workflow: w}]\n---\na: b', '4:1: a file of cases is one document'],
  ['config: a\ncases: [{workflow: w, __proto__: 1}]', '2:23 cases[0].__proto__: the key "__proto__" is not allowed'],
  [
    'config: a\ncases: [{workflow: w, constructor: 1}]',
    '2:23 cases[0].constructor: unknown key "constructor" (there is "name", "workflow", "arguments", "now", "tools", "real", "answers", "expect")',
  ],
])('%j is refused', (text, message) => {
  expect(slip(text)).toBe(message)
})

test.each<[string, string]>([
  ['argumnets: {}', 'argumnets: unknown key "argumnets" (did you mean "arguments"?)'],
  ['arguments: []', 'arguments: arguments must be a map'],
  ['now: yesterday', 'now: now must be a time such as 2026-01-31T09:00:00Z'],
  ['now: 2026-02-31T99:00:00Z', 'now: now must be a time such as 2026-01-31T09:00:00Z'],
  ['tools: []', 'tools: tools must be a map'],
  ['tools: {t: text}', 'tools.t: t must be a map'],
  ['tools: {t: []}', 'tools.t: t has no answer'],
  ['tools: {t: {}}', 'tools.t: t says nothing (write output, text, content or error)'],
  ['tools: {t: [{text: a}, {}]}', 'tools.t[1]: t[1] says nothing (write output, text, content or error)'],
  ['tools: {t: {ouput: {}}}', 'tools.t.ouput: unknown key "ouput" (did you mean "output"?)'],
  ['tools: {t: {text: a, content: []}}', 'tools.t: t has both text and content (keep one of them)'],
  ['tools: {t: {error: a, output: 1}}', 'tools.t: t is an error and has a result as well (keep one of them)'],
  ['tools: {t: {error: ""}}', 'tools.t.error: error is empty'],
  ['tools: {t: {content: [{}]}}', 'tools.t.content[0]: content[0] needs a type ({type: text, text: ...})'],
  ['tools: {t: {content: [{type: txt}]}}', 'tools.t.content[0].type: type cannot be "txt" (did you mean "text"?)'],
  ['tools: {t: {content: [{type: text}]}}', 'tools.t.content[0]: content[0] needs a text'],
  ['tools: {t: {text: a, takes: 3}}', 'tools.t.takes: takes must be a text'],
  ['tools: {t: {text: a, takes: soon}}', 'tools.t.takes: takes must be a duration such as 30s'],
  ['tools: {t: {text: a, when: {}}}', 'tools.t.when: when needs arguments (when: {arguments: {...}})'],
  ['tools: {t: {text: a, when: {args: {}}}}', 'tools.t.when.args: unknown key "args" (there is "arguments")'],
  ['real: false', 'real: real must be true, or a list of tools or steps'],
  ['real: [1]', 'real[0]: real[0] must be a text'],
  ['answers: {a: yes}', 'answers.a: a must be a map'],
  ['answers: {a: {}}', 'answers.a: a needs an action (action: accept, decline or cancel)'],
  ['answers: {a: {action: acept}}', 'answers.a.action: action cannot be "acept" (did you mean "accept"?)'],
  ['expect: completed', 'expect: expect must be a map'],
  ['expect: {status: done}', 'expect.status: status cannot be "done" (there is "completed", "failed", "timed_out")'],
  ['expect: {status: completed, error: a}', 'expect: a run that has completed has no error (write status: failed)'],
  ['expect: {error: a, output: {}}', 'expect: a run that has failed has no output'],
  ['expect: {exactly: 1}', 'expect.exactly: exactly must be true or false'],
  [
    'expect: {steps: {a: don}}',
    'expect.steps.a: a cannot be "don" (there is "completed", "failed", "skipped", "cancelled")',
  ],
  ['expect: {steps: {a: {stats: failed}}}', 'expect.steps.a.stats: unknown key "stats" (did you mean "status"?)'],
  ['expect: {calls: {a: -1}}', 'expect.calls.a: a must be a whole number, 0 or more'],
  ['expect: {calls: a}', 'expect.calls: calls must be a map'],
])('in a case %j is refused', (text, message) => {
  expect(slip(`config: a\ncases:\n  - workflow: w\n    ${text}`)).toMatch(/^4:\d+ cases\[0\]\./u)
  expect(slip(`config: a\ncases:\n  - workflow: w\n    ${text}`).replace(/^\S+ cases\[0\]\./u, '')).toBe(message)
})

test('what a case has failed of stands where it was expected', () => {
  const text = 'config: a\ncases:\n  - workflow: w\n    expect:\n      output: {a: [1]}\n'
  const [file] = readWorkflowCases([write('x.test.yaml', text)])
  const [one] = file?.cases ?? []
  if (!one) throw new Error('no case')
  const told = (path: (string | number)[]) =>
    formatFault(problemFault(one, { path, message: 'no', hint: 'mend it' })).replace(`${folder}/`, '')
  expect(told(['expect', 'output', 'a', 0])).toBe('x.test.yaml:5:20 cases[0].expect.output.a[0]: no (mend it)')
  expect(told(['expect', 'status'])).toBe('x.test.yaml:5:7 cases[0].expect.status: no (mend it)')
  expect(told([])).toBe('x.test.yaml:3:5 cases[0]: no (mend it)')
})

test('hostile files: many cases, deep ones, bombs, binary', () => {
  const one = { workflow: 'w', tools: { t: { output: { a: [1] } } }, expect: { steps: { a: 'failed' } } }
  const many = JSON.stringify({ config: 'a', cases: Array.from({ length: 10_000 }, () => one) })
  const [file] = readWorkflowCases([write('many.test.json', many)])
  expect(file?.cases).toHaveLength(10_000)
  const deep = `{"config": "a", "cases": [{"workflow": "w", "arguments": ${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}}]}`
  expect(slip(deep, 'deep.test.json')).toContain('nested more than 100 levels deep')
  const bomb = `a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ncases: [*d,*d,*d]`
  expect(slip(bomb)).toContain('aliases')
  expect(slip('cases: [\0]')).toContain('not a text file')
  expect(slip('cases: [')).toContain('broken YAML')
})
