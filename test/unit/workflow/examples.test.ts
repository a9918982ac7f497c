import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { loadConfig } from '../../../src/config/load.ts'
import type { JsonObject } from '../../../src/model/json.ts'
import { compile } from '../../../src/workflow/compile/compile.ts'
import { folderWith } from '../../support/folders.ts'
import { selfSigned } from '../../support/oidc/certificate.ts'
import { DEFAULT_WORKFLOW_LIMITS } from '../../../src/model/settings.ts'
import type { Offer, World } from '../../../src/workflow/compile/world.ts'

const TESTDATA = fileURLToPath(new URL('../../../src/config/testdata/', import.meta.url))

const TYPES: Readonly<Record<string, JsonObject>> = {
  s: { type: 'string' },
  n: { type: 'number' },
  i: { type: 'integer' },
  b: { type: 'boolean' },
  l: { type: 'array', items: { type: 'string' } },
  o: { type: 'object' },
}

/** `path:s files:l? -> ok:b`: arguments, `?` where they may be left out, and the output if one is declared. */
function offer(shown: string, signature: string): Offer {
  const [args = '', output] = signature.split('->')
  return { shown, inputSchema: members(args), ...(output === undefined ? {} : { outputSchema: members(output) }) }
}

function members(text: string): JsonObject {
  const entries = text.split(' ').flatMap((one) => {
    const [name = '', type = ''] = one.split(':')
    return name === '' ? [] : [{ name, schema: TYPES[type[0] ?? ''] ?? {}, required: !type.endsWith('?') }]
  })
  return {
    type: 'object',
    properties: Object.fromEntries(entries.map(({ name, schema }) => [name, schema])),
    required: entries.flatMap(({ name, required }) => (required ? [name] : [])),
  }
}

function world(tools: Readonly<Record<string, string>>): World {
  return {
    tool: (name) => (Object.hasOwn(tools, name) ? offer(name, tools[name] ?? '') : 'unknown'),
    tools: () => Object.keys(tools),
    workflow: () => undefined,
    workflows: () => [],
    limits: DEFAULT_WORKFLOW_LIMITS,
  }
}

async function check(inputs: string[], tools: Readonly<Record<string, string>>, stdin?: string) {
  const { cert, key } = selfSigned()
  const env = {
    TLS_FOLDER: folderWith({ 'cert.pem': cert, 'key.pem': key }),
    FILES_TOKEN: 'x',
    VMCP_CLIENT_SECRET: 'x',
    GITHUB_EXCHANGE_SECRET: 'x',
    GITHUB_KEY: 'x',
    VMCP_SEALING_KEY: 'x'.repeat(43),
  }
  const { config, faults } = await loadConfig(inputs, { env, ...(stdin === undefined ? {} : { stdin }) })
  const compiled = (config?.compositeTools ?? []).map((definition) => compile(definition, world(tools)))
  return {
    read: faults.filter(({ path }) => path.includes('ompositeTool') || path.includes('composite_tool')),
    errors: compiled.flatMap((one) => one.faults.filter(({ severity }) => severity === 'error')),
    warnings: compiled.flatMap((one) => one.faults.filter(({ severity }) => severity === 'warning')),
    plans: compiled.flatMap(({ plan }) => plan ?? []),
  }
}

const GIT = {
  git_status: 'path:s -> has_changes:b',
  git_add: 'path:s files:l -> success:b',
  git_commit: 'path:s message:s -> success:b commit_sha:s',
  git_push: 'path:s -> pushed:b',
}
const SEEDS = ['05-MCPGroup', '07-VirtualMCPServer', '08-VirtualMCPCompositeToolDefinition'].map(
  (name) => `${TESTDATA}seeds/${name}.yaml`,
)

test('the commit workflow is read unchanged and runs against tools of its kind', async () => {
  const { errors, plans } = await check(SEEDS, GIT)
  expect(errors).toEqual([])
  expect(plans[0]?.steps.map(({ id, after }) => [id, after])).toEqual([
    ['check-status', []],
    ['stage-changes', [0]],
    ['commit', [1]],
    ['confirm-push', [2]],
    ['push', [3]],
  ])
  const done = (output: JsonObject) => ({ status: 'completed', output }) as const
  const scope = {
    params: { repository_path: '/r', commit_message: 'm' },
    steps: {
      'check-status': done({ has_changes: true }),
      'stage-changes': done({ success: true }),
      commit: done({ success: true, commit_sha: 'abc' }),
      'confirm-push': done({ action: 'accept', content: { response: 'yes' } }),
      push: done({ pushed: true }),
    },
    workflow: {},
  }
  expect(plans[0]?.steps.map((step) => step.condition?.(scope, 0))).toEqual([undefined, true, true, true, true])
  expect(plans[0]?.output?.(scope, 0)).toEqual({ commit_sha: 'abc', pushed: true })
})

test('against a server with other schemas it is refused at exactly the lines that do not fit', async () => {
  const other = {
    git_status: 'repo_path:s',
    git_add: 'repo_path:s files:l',
    git_commit: 'repo_path:s message:s',
    git_log: 'repo_path:s',
  }
  const { errors } = await check(SEEDS, other)
  expect(errors.map(({ path, message }) => `${path.join('.')}: ${message}`)).toEqual([
    'steps.0.arguments.path: there is no argument "path"',
    'steps.0.arguments: the argument "repo_path" is required',
    'steps.1.arguments.path: there is no argument "path"',
    'steps.1.arguments: the argument "repo_path" is required',
    'steps.2.arguments.path: there is no argument "path"',
    'steps.2.arguments: the argument "repo_path" is required',
    'steps.4.tool: there is no tool "git_push"',
  ])
})

test('the composite tools of the reference files', async () => {
  const full = await check([`${TESTDATA}vmcp/full.yaml`], {
    'github.create_issue': 'title:s -> url:s',
    files_write_file: '',
  })
  expect(full.read).toEqual([])
  expect(full.errors).toEqual([])
  expect(full.plans).toHaveLength(1)
  const older = await check([`${TESTDATA}vmcp/toolhive-0.6.11.yaml`], {
    'github.merge_pr': 'pr:i merge_method:s',
    'kubernetes.deploy': '',
  })
  expect(older.errors).toEqual([])
  expect(older.plans[0]?.steps.map(({ id, after }) => [id, after])).toEqual([
    ['merge', []],
    ['confirm', [0]],
    ['deploy', [1]],
  ])
})

const OLDEST = `
apiVersion: toolhive.stacklok.dev/v1alpha1
kind: MCPGroup
metadata: { name: g }
spec: { description: d }
---
apiVersion: toolhive.stacklok.dev/v1alpha1
kind: VirtualMCPServer
metadata: { name: v }
spec:
  groupRef: { name: g }
  incomingAuth: { type: anonymous }
  compositeToolRefs: [{ name: rollout }]
---
apiVersion: toolhive.stacklok.dev/v1alpha1
kind: VirtualMCPCompositeToolDefinition
metadata: { name: rollout }
spec:
  name: rollout
  description: Puts a version into service and says so
  timeout: 1h
  failureMode: best_effort
  parameters:
    stage: { type: string, required: true, description: Where to }
    copies: { type: integer, default: "3" }
    share: { type: number, default: "0.25", required: false }
    loud: { type: boolean, default: "true" }
  steps:
    - id: look
      type: tool_call
      tool: cluster.inspect
      arguments: { stage: '{{.params.stage}}' }
    - id: apply
      type: tool_call
      tool: cluster.apply
      arguments:
        stage: '{{ .params.stage }}'
        copies: '{{ .params.copies }}'
        limit: '500'
        note: 'Share {{ printf "%.2f" .params.share }} of {{ .steps.look.output.text }}'
      depends_on: [look]
      on_error: { action: retry, max_retries: 3, retry_delay: 30s }
      timeout: 10m
    - id: wait
      type: tool
      tool: cluster.wait
      arguments: { stage: '{{ .params.stage }}', for: '5m' }
      dependsOn: [apply]
    - id: sure
      type: elicitation
      message: 'Tell everyone about {{ .params.stage }}?'
      schema: { type: object, properties: { yes: { type: boolean, description: Tell } }, required: [yes] }
      dependson: [wait]
      onDecline: { action: skip_remaining }
      onCancel: { action: abort }
    - id: tell
      type: tool
      tool: chat.send
      arguments: { text: '{{ if .params.loud }}Loud: {{ end }}done, {{ .steps.wait.status }}' }
      condition: '{{ and .steps.sure.output.content.yes (eq .steps.wait.status "completed") }}'
      dependsOn: [sure]
      onError: { action: continue }
  output:
    type: object
    properties:
      text: { type: string, description: What was applied, value: '{{ .steps.apply.output.text }}' }
    required: [text]
`

test('the oldest spelling: maps of parameters, tool_call, snake case, best effort', async () => {
  const tools = {
    'cluster.inspect': 'stage:s',
    'cluster.apply': 'stage:s copies:i limit:i note:s?',
    'cluster.wait': 'stage:s for:s',
    'chat.send': 'text:s',
  }
  const { read, errors, warnings, plans } = await check(['-'], tools, OLDEST)
  expect(read.filter(({ severity }) => severity === 'error')).toEqual([])
  expect(errors).toEqual([])
  expect(warnings).toEqual([])
  const plan = plans[0]
  expect(plan).toMatchObject({ failureMode: 'continue', timeoutMs: 3_600_000 })
  expect(plan?.steps.map(({ id, after }) => [id, after])).toEqual([
    ['look', []],
    ['apply', [0]],
    ['wait', [1]],
    ['sure', [2]],
    ['tell', [2, 3]],
  ])
  const apply = plan?.steps[1]
  expect(apply?.onError).toEqual({ action: 'retry', retries: 3, delayMs: 30_000 })
  const scope = {
    params: { stage: 'test', copies: 3, share: 0.25, loud: true },
    steps: { look: { status: 'completed', output: { text: 'all' } } },
    workflow: {},
  } as const
  expect(apply?.kind === 'tool' && apply.arguments(scope, 0)).toEqual({
    stage: 'test',
    copies: 3,
    limit: 500,
    note: 'Share 0.25 of all',
  })
})
