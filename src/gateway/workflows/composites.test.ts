import { expect, test } from 'vitest'
import type { AuthoredCompositeTool } from '../../config/schema/composite.ts'
import { buildCatalogue } from '../../aggregation/build.ts'
import { backendId } from '../../model/ids.ts'
import type { JsonObject } from '../../model/json.ts'
import { type AggregationSettings, DEFAULT_WORKFLOW_LIMITS } from '../../model/settings.ts'
import type { BackendState } from '../../model/backend.ts'
import { mayHave } from './away.ts'
import { Composites } from './composites.ts'
import { toolsOf } from './offers.ts'

const SETTINGS: AggregationSettings = {
  strategy: 'prefix',
  prefixFormat: '{workload}_',
  prefixExplicit: false,
  onlyOnConflict: false,
  priorityOrder: [],
  vendors: new Set(),
  excludeAllTools: false,
  defaultToolVisibility: 'allow',
  tools: new Map(),
}
const [GIT, FILES] = [backendId('git'), backendId('files')]
const tool = (name: string, more: JsonObject = {}): JsonObject => ({
  name,
  inputSchema: { type: 'object', properties: { path: { type: 'string' } } },
  ...more,
})
const calling = (name: string, called: string, more: Partial<AuthoredCompositeTool> = {}): AuthoredCompositeTool => ({
  name,
  steps: [{ id: 'a', tool: called, arguments: { path: '/' } }],
  ...more,
})

interface World {
  composites: AuthoredCompositeTool[]
  git?: JsonObject[] | undefined
  settings?: Partial<AggregationSettings>
  approved?: boolean
  /** Of `git`, while it has not answered. */
  state?: BackendState
}

/** The catalogue of two backends: `files` with the tool `read`, and `git`, which may not have answered. */
function joined(
  { composites: definitions, git, settings = {}, approved = false, ...more }: World,
  keeper?: Composites,
) {
  const composites = keeper ?? new Composites(definitions, DEFAULT_WORKFLOW_LIMITS)
  const all = { ...SETTINGS, ...settings }
  const none = { prompts: [], resources: [], templates: [] }
  const offered = [
    { backend: GIT, lists: git && { ...none, tools: git }, reachable: git !== undefined },
    { backend: FILES, lists: { ...none, tools: [tool('read')] }, reachable: true },
  ]
  const merged = buildCatalogue(offered, all, new Map(), 1, composites.reserved)
  const silent = git ? [] : [GIT]
  const tools = toolsOf(merged, { settings: all, configured: 2, approved, silent })
  const { state = { kind: 'connecting' } } = more
  const away = silent.map((id) => ({ spec: { id }, state }))
  const { catalogue, composites: of } = composites.joinTo(merged, tools, mayHave(away, all, 2))
  const listed = [...catalogue.tools.values()].filter(({ visibility }) => visibility === 'listed')
  return { catalogue, composites, listed: listed.map(({ shown }) => shown), of }
}

test('one that fits is listed with its schema and hints; its neighbour that does not is withdrawn', () => {
  const { listed, of, catalogue } = joined({
    composites: [calling('good', 'git_log', { description: 'Looks' }), calling('bad', 'git_lag')],
    git: [tool('log', { annotations: { readOnlyHint: true, openWorldHint: false } })],
  })
  expect(listed).toEqual(['git_log', 'files_read', 'good'])
  expect(catalogue.tools.get('good')).toMatchObject({
    route: { kind: 'workflow', workflow: 'good' },
    definition: {
      name: 'good',
      description: 'Looks',
      inputSchema: { type: 'object' },
      annotations: { readOnlyHint: true, destructiveHint: false, openWorldHint: false },
    },
  })
  expect(of.get('bad')?.status).toEqual({
    kind: 'withdrawn',
    why: 'step "a", tool: there is no tool "git_lag"',
    hint: 'did you mean "git_log"?',
  })
})

test('one whose backend has not answered waits, under its prefix and its own name', () => {
  for (const name of ['git_log', 'git.log']) {
    const { listed, of, composites } = joined({ composites: [calling('one', name)] })
    expect(listed).toEqual(['files_read'])
    expect(of.get('one')?.status).toMatchObject({ kind: 'waiting', why: expect.stringContaining(name) })
    expect(joined({ composites: [], git: [tool('log')] }, composites).listed).toContain('one')
  }
  expect(joined({ composites: [calling('one', 'hub_log')] }).of.get('one')?.status).toMatchObject({ kind: 'withdrawn' })
})

test('one that waits names the backend that may have its tool, with its cause of now and the way out', () => {
  const fault = { message: 'connection refused', hint: 'start it', detail: 'secret' }
  const why = (called: string, state: BackendState, keeper?: Composites): unknown => {
    const { of } = joined({ composites: [calling('one', called)], state, settings: { strategy: 'priority' } }, keeper)
    return of.get('one')?.status
  }
  const waiting = (text: string) => ({ kind: 'waiting', why: text })
  expect(why('git_log', { kind: 'connecting' })).toEqual(
    waiting('"git_log" is not known yet: backend "git" is still connecting (try again in a moment)'),
  )
  const down = '"log" is not known yet: backend "git" cannot be reached: connection refused'
  expect(why('log', { kind: 'failing', fault })).toEqual(waiting(`${down} (start it)`))
  expect(why('log', { kind: 'failing', fault: { message: fault.message } })).toEqual(waiting(down))
  expect(why('log', { kind: 'disabled' })).toEqual(
    waiting('"log" is not known yet: backend "git" is disabled in the configuration'),
  )
  const first = joined({ composites: [calling('one', 'git_log')] })
  const later = joined({ composites: [], state: { kind: 'failing', fault } }, first.composites)
  expect(later.of.get('one')?.status).toMatchObject({ why: expect.stringContaining('connection refused') })
})

test('a tool that filters hide may be called by a step', () => {
  const settings = { tools: new Map([['git', { filter: ['status'], overrides: {}, excludeAll: false }]]) }
  const { listed } = joined({ composites: [calling('one', 'git_log')], git: [tool('log'), tool('status')], settings })
  expect(listed).toEqual(['git_status', 'files_read', 'one'])
})

test('a composite keeps its name, whatever a backend offers', () => {
  const { catalogue } = joined({ composites: [calling('git_log', 'git.log')], git: [tool('log')] })
  expect(catalogue.tools.get('git_log')?.route).toEqual({ kind: 'workflow', workflow: 'git_log' })
  const [moved] = [...catalogue.tools.values()].filter(({ shown }) => /^git_log_[0-9a-f]{8}$/u.test(shown))
  expect(moved?.route).toMatchObject({ backend: 'git', native: 'log' })
  expect(catalogue.conflicts).toMatchObject([
    { name: 'git_log', resolution: expect.stringContaining('composite tool') },
  ])
})

test('names of composite tools are guarded, and two that come out alike are told apart', () => {
  const { listed } = joined({
    composites: [calling('a.b', 'files_read'), calling('a_b', 'files_read')],
    git: [],
  })
  expect(listed).toEqual(['files_read', expect.stringMatching(/^a_b_[0-9a-f]{8}$/u), 'a_b'])
})

test('a step may be made again when the operator says that its tool only reads, not when the tool says so', () => {
  const repeatable = (world: Omit<World, 'composites'>): unknown => {
    const { of } = joined({ composites: [calling('one', 'git_log')], ...world })
    const [step] = of.get('one')?.compiled.plan?.steps ?? []
    return step?.kind === 'tool' && step.repeatable
  }
  const git = [tool('log', { annotations: { readOnlyHint: true } })]
  const overrides = { log: { annotations: { readOnlyHint: true } } }
  expect(repeatable({ git })).toBe(false)
  expect(repeatable({ git, approved: true })).toBe(true)
  expect(repeatable({ git, settings: { tools: new Map([['git', { overrides, excludeAll: false }]]) } })).toBe(true)
})

test('what has not changed is not compiled again, and what has is', () => {
  const git = [tool('log')]
  const first = joined({ composites: [calling('one', 'git_log')], git })
  const again = joined({ composites: [], git: [...git, tool('more')] }, first.composites)
  expect(again.of.get('one')).toBe(first.of.get('one'))
  const other = { type: 'object', properties: { path: { type: 'integer' } } }
  const changed = joined({ composites: [], git: [{ ...git[0], inputSchema: other }] }, first.composites)
  expect(changed.of.get('one')?.status).toMatchObject({ why: expect.stringContaining('path') })
  expect(joined({ composites: [], git }, first.composites).of.get('one')).toBe(first.of.get('one'))
})

test('a run that was begun is planned again with what it was begun with', () => {
  const inner = calling('inner', 'git_log')
  const outer: AuthoredCompositeTool = {
    name: 'outer',
    steps: [
      { id: 'in', type: 'workflow', workflow: 'inner' },
      { id: 'b', tool: 'files_read', dependsOn: ['in'] },
    ],
  }
  const { of } = joined({ composites: [outer, inner], git: [tool('log')] })
  const stored = of.get('outer')?.definition ?? null
  const empty = new Composites([], DEFAULT_WORKFLOW_LIMITS)
  const tools = (...names: string[]) => {
    const none = { prompts: [], resources: [], templates: [], tools: names.map((name) => tool(name)) }
    const merged = buildCatalogue([{ backend: FILES, lists: none, reachable: true }], SETTINGS, new Map(), 1)
    return toolsOf(merged, { settings: SETTINGS, configured: 2, approved: false, silent: [] })
  }
  const faults = empty.plan(stored, [], tools('read'))
  expect(faults).toEqual({ faults: expect.arrayContaining([expect.stringContaining('inner')]) })
  const withAll = empty.plan(stored, [], joinedTools())
  expect(withAll).toMatchObject({ plan: { steps: [{ id: 'in' }, { id: 'b' }] } })

  function joinedTools() {
    const none = { prompts: [], resources: [], templates: [] }
    const offered = [
      { backend: GIT, lists: { ...none, tools: [tool('log')] }, reachable: true },
      { backend: FILES, lists: { ...none, tools: [tool('read')] }, reachable: true },
    ]
    const merged = buildCatalogue(offered, SETTINGS, new Map(), 1)
    return toolsOf(merged, { settings: SETTINGS, configured: 2, approved: false, silent: [] })
  }
})

test('a step that has ended calls nothing any more', () => {
  const two: AuthoredCompositeTool = {
    name: 'two',
    steps: [
      { id: 'a', tool: 'git_log' },
      { id: 'b', tool: 'files_read', dependsOn: ['a'] },
    ],
  }
  const { of } = joined({ composites: [two], git: [tool('log')] })
  const stored = of.get('two')?.definition ?? null
  const now = joined({ composites: [], git: [] })
  const tools = toolsOf(
    { tools: new Map(now.catalogue.tools) as never },
    {
      settings: SETTINGS,
      configured: 2,
      approved: false,
      silent: [],
    },
  )
  expect(now.composites.plan(stored, ['a'], tools)).toMatchObject({ plan: { steps: [{ id: 'a' }, { id: 'b' }] } })
  expect(now.composites.plan(stored, [], tools)).toEqual({ faults: ['there is no tool "git_log"'] })
})
