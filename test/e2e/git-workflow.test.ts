import { execFileSync } from 'node:child_process'
import { appendFileSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { Client as Sdk1 } from '@modelcontextprotocol/sdk/client/index.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { JsonObject } from '../../src/model/json.ts'
import { type Client, type ClientKind, connectHttp, type Peer, textOf } from '../support/clients.ts'
import { type CommandLine, startCommandLine } from '../support/command-line.ts'
import { vmcp } from '../support/in-process.ts'
import { waitFor } from '../support/processes.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const SEEDS = join(ROOT, 'src/config/testdata/seeds')
const GROUP = join(SEEDS, '05-MCPGroup.yaml')
const VIRTUAL_SERVER = join(SEEDS, '07-VirtualMCPServer.yaml')
const UNCHANGED = join(SEEDS, '08-VirtualMCPCompositeToolDefinition.yaml')
const CORRECTED = fileURLToPath(new URL('git-workflow/corrected.yaml', import.meta.url))

const GIT_SERVER: JsonObject = {
  name: 'git-server',
  command: process.execPath,
  args: [join(ROOT, 'node_modules/@cyanheads/git-mcp-server/dist/index.js')],
  env: { MCP_TRANSPORT_TYPE: 'stdio', MCP_LOG_LEVEL: 'error' },
}
/** What the virtual server of the seeds says, but for its callers, who can be checked only inside a cluster. */
const LOCAL: JsonObject = {
  groupRef: 'development-tools',
  backends: [GIT_SERVER],
  compositeToolRefs: [{ name: 'git-commit-workflow' }],
  compositeTools: [
    {
      name: 'is-clean',
      parameters: { type: 'object', properties: { path: { type: 'string' } }, required: ['path'] },
      steps: [{ id: 'look', tool: 'git_status', arguments: { path: '{{params.path}}' } }],
      output: { properties: { clean: { type: 'boolean', value: '{{steps.look.output.isClean}}' } } },
    },
  ],
}

const place = mkdtempSync(join(tmpdir(), 'vmcp-git-'))
afterAll(() => rmSync(place, { recursive: true }))

/** A folder of manifests as they are, with a configuration beside them. */
function folderOf(name: string, manifests: readonly string[], configuration: JsonObject): string {
  const folder = join(place, name)
  mkdirSync(folder)
  for (const file of manifests) copyFileSync(file, join(folder, basename(file)))
  writeFileSync(join(folder, 'vmcp.json'), JSON.stringify(configuration))
  return folder
}

const linesOf = (file: string): string[] => readFileSync(file, 'utf8').split('\n')

const NO_FILES = 'there is no argument "files"'
const NO_CHANGES = 'the output of "check-status" has no "has_changes"'
const REFUSED: [line: number, text: string, path: string, message: string][] = [
  [33, "files: ['.']", 'spec.steps[1].arguments.files', NO_FILES],
  [34, "condition: '{{ .steps.check-status.output.has_changes }}'", 'spec.steps[1].condition', NO_CHANGES],
]
/** The server answers nothing by these names; as they may be left out of the result, this is no error. */
const DOUBTED: [line: number, name: string][] = [
  [60, 'commit_sha'],
  [62, 'pushed'],
]

describe('the file of the seeds as it is', () => {
  test('is refused at exactly the lines that do not fit the schemas of the server', async () => {
    const folder = folderOf('checked', [GROUP, VIRTUAL_SERVER, UNCHANGED], { backends: [GIT_SERVER] })
    expect(await vmcp('validate', folder)).toMatchObject({ code: 0 })
    const { code, stdout } = await vmcp('validate', '--connect', folder)
    expect(code).toBe(3)
    const errors = stdout.split('\n').filter((line) => /^\S+:\d+:\d+ /u.test(line))
    const file = join(folder, basename(UNCHANGED))
    const lines = linesOf(UNCHANGED)
    expect(errors).toHaveLength(REFUSED.length)
    for (const [line, text, path, message] of REFUSED) {
      const written = lines[line - 1] ?? ''
      expect(written.trim()).toBe(text)
      const column = written.length - written.trimStart().length + text.indexOf(': ') + 3
      expect(errors).toContainEqual(expect.stringContaining(`${file}:${line}:${column} ${path}: ${message}`))
    }
    for (const [line, name] of DOUBTED) {
      expect(lines[line - 2]?.trim()).toBe(`${name}:`)
      expect(stdout).toContain(`warning ${file}:${line}:9 spec.output.properties.${name}: `)
    }
  })

  test('is withdrawn with the reason, and its neighbours are served', async () => {
    const served = await serve('withdrawn', UNCHANGED)
    const peer = await connectHttp('SDK v2, modern', served.url)
    const names = (await peer.client.listTools()).tools.map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(['git_status', 'git_add', 'git_commit', 'git_push', 'is-clean']))
    expect(names).not.toContain('git-commit-workflow')
    const { repository } = newRepository('withdrawn')
    expect(await peer.call({ name: 'is-clean', arguments: { path: repository } })).toMatchObject({
      structuredContent: { clean: false },
    })
    const reason = `step "stage-changes", arguments.files: ${NO_FILES} (and 1 more)`
    const result = await peer.call({ name: 'git-commit-workflow', arguments: workOn(repository) })
    expect(result).toMatchObject({ isError: true })
    expect(textOf(result)).toContain(reason)
    expect(served.told()).toContain(`composite tool "git-commit-workflow" is withdrawn: ${reason}`)
    await peer.close()
    await served.end()
  })
})

test('the corrected file differs in the lines that were refused, and says what the result is made of', () => {
  const [before, after] = [linesOf(UNCHANGED), linesOf(CORRECTED)]
  const gone = before.filter((line) => !after.includes(line))
  expect(gone).toEqual(REFUSED.map(([line]) => before[line - 1]))
  expect(after.filter((line) => !before.includes(line)).map((line) => line.trim())).toEqual([
    "paths: ['.']",
    "condition: '{{ not .steps.check-status.output.isClean }}'",
    "value: '{{ .steps.commit.output.commitHash }}'",
    "value: '{{ .steps.push.output.success }}'",
  ])
})

const CLIENTS: ClientKind[] = ['SDK v1, legacy', 'SDK v2, legacy', 'SDK v2, modern']

describe('the corrected file', () => {
  let served: Serving
  beforeAll(async () => {
    served = await serve('corrected', CORRECTED)
  })
  afterAll(() => served.end())

  test('fits the server', async () => {
    expect(await vmcp('validate', '--connect', served.folder)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^valid: /u),
    })
  })

  describe.each(CLIENTS)('%s', (kind) => {
    const run = async (name: string, answer: JsonObject, change = true) => {
      const { repository, git, pushed } = newRepository(`${name}, ${kind}`, change)
      const asked: JsonObject[] = []
      const peer = await askable(kind, served.url, (params) => {
        asked.push({ ...params, commit: git('log', '-1', '--format=%s'), pushed: pushed() })
        return answer
      })
      const result = (await peer.call({ name: 'git-commit-workflow', arguments: workOn(repository) })) as JsonObject
      await peer.close()
      return { git, pushed, asked, result, steps: stepsOf(result) }
    }

    test('commits, asks, and pushes when the user says yes', async () => {
      const { git, pushed, asked, result, steps } = await run('yes', { action: 'accept', content: { response: 'yes' } })
      // When the user is asked the commit is there, and nothing is pushed.
      expect(asked).toMatchObject([{ message: 'Push changes to remote? (yes/no)', commit: MESSAGE, pushed: ['First'] }])
      const sha = git('rev-parse', 'HEAD')
      expect(result).toMatchObject({ structuredContent: { commit_sha: sha, pushed: true } })
      expect(result['isError']).toBeFalsy()
      expect(new Set(Object.values(steps))).toEqual(new Set(['completed']))
      expect(git('log', '-1', '--format=%an <%ae> %s')).toBe(`Ada <ada@example.com> ${MESSAGE}`)
      expect(git('show', '--name-only', '--format=', 'HEAD').split('\n').toSorted()).toEqual(['changed', 'new/file'])
      expect(git('status', '--porcelain')).toBe('')
      expect(pushed()).toEqual([MESSAGE, 'First'])
    })

    test('leaves the commit unpushed when the user says no', async () => {
      const { git, pushed, result, steps } = await run('no', { action: 'accept', content: { response: 'no' } })
      expect(result['structuredContent']).toEqual({ commit_sha: git('rev-parse', 'HEAD') })
      expect(steps).toMatchObject({ commit: 'completed', push: 'skipped' })
      expect(git('log', '-1', '--format=%s')).toBe(MESSAGE)
      expect(pushed()).toEqual(['First'])
    })

    test('leaves the commit unpushed when the user declines', async () => {
      const { git, pushed, result, steps } = await run('declined', { action: 'decline' })
      expect(result).toMatchObject({ isError: true })
      expect(textOf(result)).toContain('failed at step "confirm-push": The user declined')
      expect(steps).toMatchObject({ commit: 'completed', 'confirm-push': 'failed' })
      expect(steps['push']).not.toBe('completed')
      expect(git('log', '-1', '--format=%s')).toBe(MESSAGE)
      expect(pushed()).toEqual(['First'])
    })

    test('asks nobody when there is nothing to commit', async () => {
      const { git, pushed, asked, steps } = await run('nothing', { action: 'decline' }, false)
      expect(asked).toEqual([])
      const skipped = { 'stage-changes': 'skipped', commit: 'skipped', 'confirm-push': 'skipped', push: 'skipped' }
      expect(steps).toEqual({ 'check-status': 'completed', ...skipped })
      expect(git('log', '--format=%s')).toBe('First')
      expect(pushed()).toEqual(['First'])
    })
  })
})

interface Serving {
  folder: string
  url: string
  /** Everything that it printed. */
  told(): string
  end(): Promise<void>
}

async function serve(name: string, workflow: string): Promise<Serving> {
  const folder = folderOf(name, [GROUP, workflow], LOCAL)
  const gateway: CommandLine = startCommandLine(['serve', folder, '--port', '0'])
  const told = (): string => gateway.stdout() + gateway.stderr()
  const url = await gateway.url()
  await waitFor(() => /^ {2}ready {2}git-server/mu.test(told()), 30_000, `a ready git server (${told()})`)
  return { folder, url, told, end: () => gateway.end() }
}

const MESSAGE = 'Change and add'
const workOn = (repository: string): JsonObject => ({ repository_path: repository, commit_message: MESSAGE })

/** One commit, pushed to a bare repository. `change`: there is something to commit on top of it. */
function newRepository(name: string, change = true) {
  const folder = mkdtempSync(join(place, `${name.replaceAll(/\W/gu, '-')}-`))
  const [repository, remote] = [join(folder, 'work'), join(folder, 'remote.git')]
  // Nothing of what this machine configures for its users may count.
  const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' }
  const gitIn = (cwd: string, args: readonly string[]): string =>
    execFileSync('git', args, { cwd, env, encoding: 'utf8', stdio: 'pipe' }).trim()
  const git = (...args: string[]): string => gitIn(repository, args)
  gitIn(folder, ['init', '--quiet', '--bare', '--initial-branch=main', remote])
  gitIn(folder, ['init', '--quiet', '--initial-branch=main', repository])
  for (const [key, value] of IDENTITY) git('config', key, value)
  git('remote', 'add', 'origin', remote)
  writeFileSync(join(repository, 'changed'), 'first\n')
  git('add', '.')
  git('commit', '--quiet', '--message=First')
  git('push', '--quiet', '--set-upstream', 'origin', 'main')
  if (change) {
    appendFileSync(join(repository, 'changed'), 'second\n')
    mkdirSync(join(repository, 'new'))
    writeFileSync(join(repository, 'new/file'), 'new\n')
  }
  const pushed = (): string[] => gitIn(remote, ['log', '--format=%s', 'main']).split('\n')
  return { repository, git, pushed }
}

const IDENTITY = [
  ['user.name', 'Ada'],
  ['user.email', 'ada@example.com'],
  ['commit.gpgsign', 'false'],
] as const

/** A client whose user answers so. */
async function askable(kind: ClientKind, url: string, answer: (params: JsonObject) => JsonObject): Promise<Peer> {
  return connectHttp(kind, url, (client: Client) => {
    client.registerCapabilities({ elicitation: { form: {} } })
    if (client instanceof Sdk1) {
      client.setRequestHandler(ElicitRequestSchema, ({ params }) => answer(params as JsonObject) as never)
    } else {
      client.setRequestHandler('elicitation/create', ({ params }) => answer(params as JsonObject) as never)
    }
  })
}

function stepsOf({ _meta }: JsonObject): Record<string, string> {
  const steps = (_meta as { 'vmcp/workflow': { id: string; status: string }[] })['vmcp/workflow']
  return Object.fromEntries(steps.map(({ id, status }) => [id, status]))
}
