import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { formatFault } from '../../config/format.ts'
import { loadConfig } from '../../config/load.ts'
import { DEFAULT_WORKFLOW_LIMITS } from '../../model/settings.ts'
import { compile } from '../../workflow/compile/compile.ts'
import type { World } from '../../workflow/compile/world.ts'
import { runCase } from '../../workflow/testing/run-case.ts'
import { subjectOf } from '../../workflow/testing/subject.ts'
import { problemFault, readWorkflowCases } from './cases.ts'

const SEEDS = fileURLToPath(new URL('../../config/testdata/seeds/', import.meta.url))

const CASES = `
config: [05-MCPGroup.yaml, 07-VirtualMCPServer.yaml, 08-VirtualMCPCompositeToolDefinition.yaml]
cases:
  - &pushed
    name: commits, asks and pushes
    workflow: git-commit-workflow
    arguments: { repository_path: /repo, commit_message: Mend it }
    tools:
      git_status: { output: { has_changes: true } }
      git_add: { output: { success: true } }
      git_commit: { output: { success: true, commit_sha: abc123 } }
      git_push: { output: { pushed: true } }
    answers:
      confirm-push: { action: accept, content: { response: 'yes' } }
    expect:
      output: { commit_sha: abc123, pushed: true }
      exactly: true
      steps:
        commit: { arguments: { message: Mend it } }
      calls: [git_status, git_add, git_commit, git_push]
  - <<: *pushed
    name: the user says no
    answers:
      confirm-push: { action: accept, content: { response: 'no' } }
    expect:
      output: { commit_sha: abc123 }
      steps: { push: skipped }
      calls: { git_push: 0 }
  - <<: *pushed
    name: the user declines
    answers:
      confirm-push: { action: decline }
    expect: { error: declined, calls: { git_push: 0 } }
  - <<: *pushed
    name: nothing to commit
    tools:
      git_status: { output: { has_changes: false } }
    expect:
      steps: { stage-changes: skipped, commit: skipped, confirm-push: skipped, push: skipped }
  - <<: *pushed
    name: wrong
    expect:
      steps: { push: skipped }
      output: { commit_sha: def }
`

test('the commit workflow of the seeds, as its author would test it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vmcp-tested-'))
  const name = join(folder, 'commit.test.yaml')
  writeFileSync(name, CASES)
  const [file] = readWorkflowCases([name])
  rmSync(folder, { recursive: true })
  expect(file?.config.every((one) => one.startsWith(folder))).toBe(true)
  const { config } = await loadConfig((file?.config ?? []).map((one) => one.replace(folder, SEEDS)))
  const definitions = new Map(config?.compositeTools.map((one) => [one.name, one]))
  // Nobody can be reached.
  const world: World = {
    tool: () => 'not known yet',
    tools: () => [],
    workflow: (one) => definitions.get(one),
    workflows: () => definitions.keys(),
    limits: DEFAULT_WORKFLOW_LIMITS,
  }
  const told: string[] = []
  for (const one of file?.cases ?? []) {
    const definition = definitions.get(one.workflow)
    const { plan, inputSchema } = definition ? compile(definition, world) : {}
    if (!plan || !inputSchema) throw new Error(`no plan of ${one.workflow}`)
    const { passed, problems } = await runCase(one, subjectOf({ plan, inputSchema }, world))
    const faults = problems.map((problem) => formatFault(problemFault(one, problem)).replace(`${folder}/`, ''))
    told.push(`${passed ? 'passed' : 'failed'} ${one.name}`, ...faults)
  }
  expect(told).toEqual([
    'passed commits, asks and pushes',
    'passed the user says no',
    'passed the user declines',
    'passed nothing to commit',
    'failed wrong',
    'commit.test.yaml:44:29 cases[4].expect.output.commit_sha: expected "def", got "abc123"',
    'commit.test.yaml:43:22 cases[4].expect.steps.push.status: expected skipped, got completed',
  ])
})
