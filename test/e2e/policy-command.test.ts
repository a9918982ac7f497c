import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterAll, beforeAll, expect, test } from 'vitest'

import type { Ran } from '../support/in-process.ts'
import { vmcp as run } from '../support/in-process.ts'

const vmcp = (args: readonly string[]): Promise<Ran> => run(...args)

let folder: string
const write = (name: string, text: string): string => {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmcp-policy-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const config = (policies: string[]): string =>
  JSON.stringify({
    publicUrl: 'https://mcp.example/mcp',
    backends: [{ name: 'a', url: 'http://127.0.0.1:1/mcp' }],
    incomingAuth: { type: 'oidc', oidc: { issuer: 'https://id.example' }, authz: { type: 'cedar', policies } },
  })
const ADMINS = 'permit(principal in THVGroup::"admins", action, resource);'

test('check: positions and the nearest name, in configurations and files of policies', async () => {
  const wrong = 'permit(principal, action == Action::"tools/call", resource);'
  const cedar = await vmcp(['policy', 'check', write('x.cedar', `${ADMINS}\n${wrong}`)])
  expect(cedar).toMatchObject({ code: 3, stdout: expect.stringContaining('x.cedar:2:29: unrecognized action') })
  const file = write('wrong.json', config([ADMINS, wrong]))
  for (const command of [
    ['policy', 'check', file],
    ['validate', file],
  ]) {
    const { code, stdout } = await vmcp(command)
    expect(code).toBe(3)
    expect(stdout).toContain('incomingAuth.authz.policies[1]')
    expect(stdout).toContain('call_tool')
  }
  expect(await vmcp(['serve', file, '--port', '0'])).toMatchObject({ code: 3 })
  expect(await vmcp(['policy', 'check', write('good.json', config([ADMINS]))])).toMatchObject({ code: 0 })
})

test('test: the cases beside the policies, and what each failure comes of', async () => {
  const file = write('team.json', config([ADMINS]))
  const cases = (expected: string) =>
    `cases: [{name: one, principal: {sub: alice, groups: [admins]}, call: {tool: rm}, expected: ${expected}}]`
  write('team.test.yaml', cases('allow'))
  expect(await vmcp(['policy', 'test', file])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('1 passed, 0 failed'),
  })
  write('team.test.yaml', cases('deny'))
  const failed = await vmcp(['policy', 'test', file])
  expect(failed.code).toBe(1)
  expect(failed.stdout).toContain('allowed by policy0')
  expect(failed.stdout).toContain('team.test.yaml:1:9: expected deny')
  write('team.test.yaml', cases('maybe'))
  expect(await vmcp(['policy', 'test', file])).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(/team\.test\.yaml:1:\d+ cases\[0\]\.expected: /),
  })
})

test.each([
  ['cases: 1', '1:8 cases: cases must be a list'],
  ['cases:\n  - [x]', '2:5 cases[0]: a case must be a map'],
  ['cases:\n  - {call: {tool: x}, expected: deny}', '2:5 cases[0]: a case needs a principal'],
  [
    'cases:\n  - principal: {}\n    expected: deny\n    call: {tol: x}',
    '4:12 cases[0].call.tol: unknown key "tol" (did you',
  ],
  ['cases:\n  - principal: {}\n    expected: deny\n    call: {}', '4:11 cases[0].call: a call names one of'],
  [
    'cases:\n  - principal: {}\n    call: {tool: x, arguments: 3}\n    expected: deny',
    '3:32 cases[0].call.arguments: arguments must be a map',
  ],
  ['cases:\n  - principal: {}\n    call: {tool: x}\n    expect: deny', '4:5 cases[0].expect: unknown key "expect"'],
])('test: what is wrong in a file of cases has its place: %s', async (text, expected) => {
  write('odd.json', config([ADMINS]))
  write('odd.test.yaml', text)
  const { code, stderr } = await vmcp(['policy', 'test', join(folder, 'odd.json')])
  expect(code).toBe(3)
  expect(stderr).toContain(`odd.test.yaml:${expected}`)
})

test('explain: the policies that decide, and the attribute that is missing', async () => {
  const open = 'permit(principal, action, resource) when { principal has claim_team && principal.claim_team == "x" };'
  const file = write('why.json', config([ADMINS, open]))
  const ask = (principal: string) => vmcp(['policy', 'explain', file, '--principal', principal, '--tool', 'rm'])
  expect((await ask('{"sub":"a","groups":["admins"]}')).stdout).toContain('allowed by policy0')
  expect((await ask('{"sub":"b"}')).stdout).toContain('the request has no principal.claim_team')
  expect(await ask('nonsense')).toMatchObject({ code: 2 })
})

test('explain: policies on annotations', async () => {
  const reading = 'permit(principal, action, resource) when { resource has readOnlyHint && resource.readOnlyHint };'
  const file = write('hints.json', config([reading]))
  const ask = (...args: string[]) => vmcp(['policy', 'explain', file, '--tool', 'x', ...args])
  expect((await ask()).stdout).toContain('denied: no policy permits it')
  expect((await ask('--annotations', '{"readOnlyHint":true}')).stdout).toContain('allowed by policy0')
  expect(await ask('--annotations', '{"readOnlyHint":"yes"}')).toMatchObject({ code: 2 })
  expect((await vmcp(['policy', '--help'])).stdout).toContain('annotations: {readOnlyHint: true}')
})

test('policies that can never match are refused where the backends, or the types of groups, are known', async () => {
  const nowhere = write('nowhere.json', config(['permit(principal, action, resource in Backend::"zzz");']))
  const faults = await vmcp(['validate', nowhere])
  expect(faults).toMatchObject({ code: 3, stdout: expect.stringContaining('nothing is in Backend::"zzz"') })
  const text = config([ADMINS]).replace('"type":"cedar"', '"type":"cedar","groupEntityType":"Client"')
  const own = await vmcp(['validate', write('own.json', text)])
  expect(own).toMatchObject({
    code: 3,
    stdout: expect.stringContaining('incomingAuth.authz.groupEntityType: Client is'),
  })
})

test('call and tools act for the operator, or as a principal whom the policies bind', async () => {
  const server = fileURLToPath(new URL('../support/stdio-backend.ts', import.meta.url))
  const authz = { type: 'cedar', policies: ['permit(principal == Client::"bob", action, resource == Tool::"echo");'] }
  const text = JSON.stringify({
    publicUrl: 'https://mcp.example/mcp',
    backends: [{ name: 'a', command: process.execPath, args: [server] }],
    incomingAuth: { type: 'oidc', oidc: { issuer: 'https://id.example' }, authz },
  })
  const file = write('bound.json', text)
  const names = async (args: string[]) => {
    const { stdout } = await vmcp(['tools', file, '--json', ...args])
    return (JSON.parse(stdout) as { tools: { name: string }[] }).tools.map(({ name }) => name)
  }
  expect(await names([])).toContain('counter')
  expect(await names(['--as', '{"sub":"bob"}'])).toEqual(['echo'])
  expect(await vmcp(['call', file, 'counter'])).toMatchObject({ code: 0 })
  const refused = await vmcp(['call', file, 'counter', '--as', '{"sub":"bob"}'])
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('tools: echo') })
  expect(refused.stderr.replace('Unknown tool: counter', '')).not.toContain('counter')
  expect(await vmcp(['call', file, 'echo', '{"text":"x"}', '--as', '{"sub":"bob"}'])).toMatchObject({ code: 0 })
})

test('validate --connect: names and arguments that are not there have their place', async () => {
  const server = fileURLToPath(new URL('../support/stdio-backend.ts', import.meta.url))
  const file = write(
    'live.yaml',
    `publicUrl: https://mcp.example/mcp
backends: [{ name: a, command: ${JSON.stringify(process.execPath)}, args: [${JSON.stringify(server)}] }]
incomingAuth:
  type: oidc
  oidc: { issuer: https://id.example }
  authz:
    type: cedar
    policies:
      - permit(principal, action, resource == Tool::"ecco");
      - permit(principal, action, resource == Tool::"echo") when { context has arg_txet };
`,
  )
  expect(await vmcp(['validate', file])).toMatchObject({ code: 0 })
  const { code, stdout } = await vmcp(['validate', file, '--connect'])
  expect(code).toBe(3)
  expect(stdout).toMatch(/live\.yaml:9:9 incomingAuth\.authz\.policies\[0\]: there is no tool "ecco" now/)
  expect(stdout).toMatch(
    /warning .*live\.yaml:10:9 incomingAuth\.authz\.policies\[1\]: "echo" has no argument "txet" now/,
  )
})
