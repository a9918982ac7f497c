import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { startCommandLine } from '../../support/command-line.ts'
import { vmcp } from '../../support/in-process.ts'

const EVERYTHING = fileURLToPath(new URL('../../../node_modules/.bin/mcp-server-everything', import.meta.url))

const CONFIG = `
name: commands
workflowStorage: { provider: file, path: ./runs }
backends:
  - { name: every, command: ${EVERYTHING}, args: [stdio] }
compositeTools:
  - name: greet
    description: Adds and says
    parameters:
      type: object
      properties: { a: { type: integer, default: 2 }, b: { type: integer } }
      required: [b]
    steps:
      - { id: sum, tool: get-sum, arguments: { a: "{{ params.a }}", b: "{{ params.b }}" } }
      - { id: ask, type: elicitation, message: "Say it?", dependsOn: [sum], onDecline: { action: skip_remaining } }
      - { id: say, tool: echo, arguments: { message: "{{ steps.sum.content.text }}" }, dependsOn: [ask] }
    output:
      properties:
        said: { type: boolean, description: whether, value: '{{ eq steps.say.status "completed" }}' }
`
const BROKEN = `${CONFIG}  - name: broken
    steps:
      - id: one
        tool: ecko
      - { id: two, tool: echo, dependsOn: [three] }
`
const CASES = `
config: good.yaml
cases:
  - name: says it
    workflow: greet
    arguments: { b: 1 }
    tools: { get-sum: { text: three }, echo: { text: done, when: { arguments: { message: three } } } }
    answers: { ask: { action: accept, content: { response: "yes" } } }
    expect: { output: { said: true } }
  - name: holds its tongue
    workflow: greet
    arguments: { b: 1 }
    tools: { get-sum: { text: three } }
    answers: { ask: { action: decline } }
    expect: { output: { said: false }, steps: { say: skipped } }
`

let folder: string
const file = (name: string): string => join(folder, name)
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmcp-workflow-'))
  const files = { 'good.yaml': CONFIG, 'broken.yaml': BROKEN, 'good.workflow.test.yaml': CASES }
  for (const [name, text] of Object.entries(files)) writeFileSync(file(name), text)
})
afterAll(() => rmSync(folder, { recursive: true }))

test('list tells what can be called and what cannot, and why', async () => {
  const { code, stdout } = await vmcp('workflow', 'list', file('broken.yaml'), '--json')
  expect(code).toBe(1)
  expect(JSON.parse(stdout)).toMatchObject({
    workflows: [
      { name: 'greet', state: 'ready', steps: 3, tools: ['get-sum', 'echo'], description: 'Adds and says' },
      { name: 'broken', state: 'withdrawn', why: expect.stringContaining('"ecko"') },
    ],
  })
})

test('check and validate --connect tell each fault at its line; one broken definition is only its own affair', async () => {
  const lines = BROKEN.split('\n')
  const line = (text: string): number => lines.findIndex((one) => one.includes(text)) + 1
  for (const command of [
    ['workflow', 'check', file('broken.yaml')],
    ['validate', '--connect', file('broken.yaml')],
  ]) {
    const { code, stdout } = await vmcp(...command)
    expect(code).toBe(3)
    expect(stdout).toContain(
      `broken.yaml:${line('tool: ecko')}:15 compositeTools[1].steps[0].tool: there is no tool "ecko"`,
    )
    expect(stdout).toContain('did you mean "echo"')
    expect(stdout).toMatch(new RegExp(`broken\\.yaml:${line('three')}:\\d+ .*there is no step "three"`, 'u'))
  }
  expect(await vmcp('workflow', 'check', file('broken.yaml'), 'greet')).toMatchObject({ code: 0 })
  expect(await vmcp('workflow', 'check', file('broken.yaml'), 'gret')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('greet'),
  })
})

test('what needs no backend is told without one', async () => {
  for (const command of [
    ['workflow', 'check', '--offline', file('broken.yaml')],
    ['validate', file('broken.yaml')],
  ]) {
    const { code, stdout } = await vmcp(...command)
    expect([code, stdout]).toEqual([3, expect.stringContaining('there is no step "three"')])
    expect(stdout).not.toContain('ecko')
  }
  expect(await vmcp('validate', file('good.yaml'))).toMatchObject({ code: 0 })
})

test('tools names those that are withdrawn', async () => {
  const { code, stdout } = await vmcp('tools', file('broken.yaml'), '--json')
  const { tools, workflows } = JSON.parse(stdout) as { tools: { name: string }[]; workflows: unknown[] }
  expect(code).toBe(0)
  expect(tools.find(({ name }) => name === 'greet')).toMatchObject({ backend: null, workflow: 'greet' })
  expect(workflows).toMatchObject([{ name: 'broken', state: 'withdrawn' }])
})

test('one that waits for a backend says so, with backend and cause', async () => {
  const gone =
    'backends: [{ name: gone, command: no-such-command-anywhere }, { name: b, command: other, disabled: true }]'
  const flow = 'compositeTools: [{ name: waits, steps: [{ id: a, tool: gone_x }] }]'
  writeFileSync(file('gone.yaml'), `${gone}\n${flow}\n`)
  const why = /"gone_x" is not known yet: backend "gone" cannot be reached: .*no-such-command-anywhere/u
  const listed = await vmcp('workflow', 'list', file('gone.yaml'), '--json')
  expect(JSON.parse(listed.stdout)).toMatchObject({
    workflows: [{ state: 'waiting', why: expect.stringMatching(why) }],
  })
  const shown = await vmcp('tools', file('gone.yaml'))
  expect(shown.stdout).toMatch(new RegExp(`^waiting: composite tool "waits": ${why.source}`, 'mu'))
  expect(shown.stdout).not.toContain('withdrawn')
  const called = await vmcp('call', file('gone.yaml'), 'waits')
  expect(called).toMatchObject({ code: 1, stdout: expect.stringMatching(why) })
})

test('graph prints Mermaid and writes a picture', async () => {
  const { code, stdout } = await vmcp('workflow', 'graph', file('good.yaml'))
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^flowchart TD[^]*s0 --> s1/u)])
  expect(await vmcp('workflow', 'graph', file('good.yaml'), 'greet', '--svg', file('a.svg'))).toMatchObject({ code: 0 })
  expect(readFileSync(file('a.svg'), 'utf8')).toContain('<svg')
})

test('run answers from the command line, and draws what became of it', async () => {
  const accepted = JSON.stringify({ ask: { action: 'accept', content: { response: 'y' } } })
  const run = ['workflow', 'run', file('good.yaml'), 'greet', '{"b":3}', '--answers']
  const ran = await vmcp(...run, accepted, '--svg', file('run.svg'))
  expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('"said": true') })
  expect(ran.stderr).toMatch(/say +completed/u)
  expect(readFileSync(file('run.svg'), 'utf8')).toContain('completed')
  const declined = await vmcp(...run, '{"ask":{"action":"decline"},"asc":{}}', '--json')
  expect(declined.stderr).toContain('warning: --answers: there is no step "asc" (did you mean "ask"?)')
  const result = JSON.parse(declined.stdout) as { _meta: Record<string, unknown> }
  expect(result).toMatchObject({ structuredContent: { said: false } })
  const drawn = await vmcp('workflow', 'graph', file('good.yaml'), 'greet', '--run', String(result._meta['vmcp/runId']))
  expect(drawn).toMatchObject({ code: 0, stdout: expect.stringContaining('skipped') })
  expect(await vmcp('workflow', 'run', file('good.yaml'), 'greet', '{"b":"x"}')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('b must be integer'),
  })
})

test('run asks on standard input', async () => {
  const command = startCommandLine(['workflow', 'run', file('good.yaml'), 'greet', '{"b":3}'])
  // Nobody is there: the end of the input is no answer.
  expect(await command.exited).toBe(1)
  expect(command.stderr()).toContain('ask: Say it?')
})

test('test runs cases without any backend, and fails with what differs', async () => {
  expect(await vmcp('workflow', 'test', file('good.workflow.test.yaml'))).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('2 passed, 0 failed'),
  })
  writeFileSync(file('bad.workflow.test.yaml'), CASES.replace('said: false', 'said: true'))
  const { code, stdout } = await vmcp('workflow', 'test', file('bad.workflow.test.yaml'))
  expect(code).toBe(1)
  expect(stdout).toContain('1 passed, 1 failed')
  expect(stdout).toMatch(/bad\.workflow\.test\.yaml:\d+:\d+ .*said/u)
  // Against the live schemas a number as an argument of echo is refused.
  const real = CASES.replace('tools: { get-sum: { text: three }, echo', 'real: [get-sum]\n    tools: { echo').replace(
    'message: three',
    'message: The sum of 2 and 1 is 3.',
  )
  writeFileSync(file('real.workflow.test.yaml'), real)
  expect(await vmcp('workflow', 'test', file('real.workflow.test.yaml'))).toMatchObject({ code: 0 })
})

test('each verb has its own flags and its own help', async () => {
  expect(await vmcp('workflow', 'list', file('good.yaml'), '--svg', 'x.svg')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('workflow list does not know --svg, which goes with graph and run'),
  })
  const help = await vmcp('workflow', 'run', '--help')
  expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining('--answers JSON|FILE') })
  expect(help.stdout).not.toContain('--offline')
  expect(await vmcp('help', 'workflow', 'run')).toEqual(help)
  expect((await vmcp('workflow', '--help')).stdout).toContain('list, check: ask no backend')
})

test('definitions to which nothing refers are checked, and drawn', async () => {
  const definition = (name: string, steps: string): string =>
    `apiVersion: toolhive.stacklok.dev/v1beta1\nkind: VirtualMCPCompositeToolDefinition\nmetadata: { name: ${name} }\nspec:\n  name: ${name}\n  steps: [${steps}]\n---\n`
  const text = definition('fine', '{ id: a, tool: x }') + definition('bad', '{ id: a, tool: x, dependsOn: [none] }')
  writeFileSync(file('definitions.yaml'), text)
  const server = `apiVersion: toolhive.stacklok.dev/v1beta1\nkind: MCPGroup\nmetadata: { name: g }\n---\napiVersion: toolhive.stacklok.dev/v1beta1\nkind: VirtualMCPServer\nmetadata: { name: s }\nspec: { groupRef: { name: g }, compositeToolRefs: [{ name: fine }] }\n`
  writeFileSync(file('served.yaml'), text + server)
  const fault = expect.stringMatching(/:13:\d+ spec\.steps\[0\]\.dependsOn\[0\]: there is no step "none"/u)
  for (const command of [
    ['validate', file('definitions.yaml')],
    ['validate', file('served.yaml')],
    ['workflow', 'check', file('definitions.yaml')],
  ])
    expect(await vmcp(...command)).toMatchObject({ code: 3, stdout: fault })
  expect(await vmcp('workflow', 'graph', file('definitions.yaml'), 'fine')).toMatchObject({ code: 0 })
})

test('files that are not there, and names that nothing has, are told apart', async () => {
  const missing = { code: 3, stderr: expect.stringContaining('no such file') }
  expect(await vmcp('workflow', 'list', file('nowhere.yaml'))).toMatchObject(missing)
  expect(await vmcp('workflow', 'check', 'nowhere.yaml', 'greet')).toMatchObject(missing)
  expect(await vmcp('call', './nowhere', 'greet')).toMatchObject(missing)
  expect(await vmcp('workflow', 'list', file('good.yaml'), 'gret', '--offline')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('did you mean "greet"?'),
  })
})

test('wrong usage says so', async () => {
  expect(await vmcp('workflow')).toMatchObject({ code: 2, stderr: expect.stringContaining('list, check') })
  expect(await vmcp('workflow', 'test')).toMatchObject({ code: 2 })
  expect(await vmcp('workflow', 'run', file('good.yaml'), 'greet', '[]')).toMatchObject({ code: 2 })
  expect(await vmcp('workflow', 'run', file('good.yaml'), 'greet', '--answers', folder)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('EISDIR'),
  })
  writeFileSync(file('none.yaml'), 'backends: []\n')
  expect(await vmcp('workflow', 'list', file('none.yaml'))).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('no composite tools'),
  })
})
