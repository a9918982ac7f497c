import { createRequire } from 'node:module'
import type * as Wasm from '@cedar-policy/cedar-wasm/nodejs'
import type { CedarValueJson, EntityJson } from '@cedar-policy/cedar-wasm/nodejs'
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { isObject, type JsonObject } from '../../src/model/json.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { startHttpBackend, type HttpBackend } from '../support/http-backend.ts'
import { startProvider, type RunningProvider } from '../support/oidc/provider.ts'
import { waitFor } from '../support/processes.ts'
import { LEGACY, META, MODERN } from '../support/script.ts'

const cedar = createRequire(import.meta.url)('@cedar-policy/cedar-wasm/nodejs') as typeof Wasm

const RUNS = 100
const RESOURCE = 'https://mcp.example/mcp'
const SERVER = 'srv'
const TASKS = 'io.modelcontextprotocol/tasks'
const SKILLS = 'io.modelcontextprotocol/skills'

const PEOPLE = {
  alice: { groups: ['staff'], level: 1 },
  bob: { groups: ['guests'], level: 3 },
  carol: { groups: [] },
} as const satisfies Record<string, JsonObject>
type Person = keyof typeof PEOPLE
const NAMES = ['one', 'two'] as const
type BackendName = (typeof NAMES)[number]

/** Both offer the same; shown names carry the backend's. */
const TOOLS = ['echo', 'secret', 'job']
const PROMPTS = ['greet', 'hidden']
const URIS = ['docs://open/a', 'docs://closed/b']
const TEMPLATES = ['docs://open/{x}', 'docs://closed/{x}']

const text = (value: unknown): string => (typeof value === 'string' ? value : '')

let provider: RunningProvider
let gateway: TestGateway
let backends: Record<BackendName, HttpBackend>
const tokens = {} as Record<Person, string>
const sessions = {} as Record<Person, string>
/** Native ids of tasks, and who began them. */
const begun = new Map<string, Person>()
/** Who is asking now, of which the backends know nothing. */
let asking: Person = 'alice'
let jobs = 0

function begin(name: string): JsonObject {
  const taskId = `${name}-task-${++jobs}`
  begun.set(taskId, asking)
  return taskOf(taskId)
}

const taskOf = (taskId: string): JsonObject => ({
  taskId,
  status: 'working',
  createdAt: '2026-01-01T00:00:00Z',
  lastUpdatedAt: '2026-01-01T00:00:00Z',
  ttl: null,
  ttlMs: null,
})

const startBackend = (name: BackendName) =>
  startHttpBackend({
    name,
    tools: TOOLS.map((tool) => ({
      name: tool,
      inputSchema: { type: 'object' },
      annotations: { readOnlyHint: tool === 'echo' },
      ...(tool === 'job' && { execution: { taskSupport: 'optional' } }),
    })),
    prompts: PROMPTS.map((prompt) => ({ name: prompt })),
    resources: URIS.map((uri) => ({ uri: uri.replace(':', `-${name}:`), name: uri })),
    templates: TEMPLATES.map((uriTemplate) => ({ uriTemplate: uriTemplate.replace(':', `-${name}:`), name: 't' })),
    completions: ['x'],
    subscribable: true,
    capabilities: {
      extensions: { [TASKS]: {}, [SKILLS]: { directoryRead: true } },
      tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } },
      logging: {},
    },
    methods: {
      'tools/call': ({ era, params }) => {
        if (params['name'] === 'job' && era === 'modern') return { resultType: 'task', ...begin(name) }
        if (params['name'] === 'job' && params['task']) return { task: begin(name) }
        return { content: [] }
      },
      'tasks/get': ({ params }) => taskOf(text(params['taskId'])),
      'tasks/cancel': ({ params }) => taskOf(text(params['taskId'])),
      'tasks/result': () => ({ content: [] }),
      'tasks/update': () => ({}),
      'tasks/list': () => ({ tasks: [] }),
      'logging/setLevel': () => ({}),
      'skills/list': () => ({ skills: [{ uri: 'skill://a/SKILL.md' }] }),
      'skills/get': () => ({ skill: { uri: 'skill://a/SKILL.md' } }),
      'resources/directory/read': () => ({ resources: [] }),
      'vendor/do': () => ({ done: true }),
    },
  })

const config = (policies: readonly string[]): JsonObject => ({
  name: SERVER,
  publicUrl: RESOURCE,
  backends: NAMES.map((name) => ({ name, url: backends[name].url, methods: name === 'one' ? ['vendor/do'] : [] })),
  incomingAuth: {
    type: 'oidc',
    oidc: { issuer: provider.issuer, insecureAllowHttp: true, jwksAllowPrivateIp: true },
    authz: { type: 'cedar', policies: [...policies] },
  },
})

beforeAll(async () => {
  provider = await startProvider()
  backends = { one: await startBackend('one'), two: await startBackend('two') }
  gateway = await startGateway(config(['permit(principal, action, resource);']))
  const exp = Math.floor(Date.now() / 1000) + 3600
  for (const person of Object.keys(PEOPLE) as Person[]) {
    const claims = { iss: provider.issuer, sub: person, aud: RESOURCE, exp, ...PEOPLE[person] }
    tokens[person] = await provider.keys.get('ES256')!.mint(claims)
    const hello = { protocolVersion: LEGACY[0]!, capabilities: {}, clientInfo: { name: 'c', version: '1' } }
    const answer = await post(person, {}, { jsonrpc: '2.0', id: 1, method: 'initialize', params: hello })
    sessions[person] = answer.headers.get('mcp-session-id') ?? ''
    await answer.text()
  }
}, 30_000)
afterAll(async () => {
  await gateway.close()
  await Promise.all(NAMES.map((name) => backends[name].close()))
  await provider.close()
})

function post(person: Person, headers: Record<string, string>, message: JsonObject, signal?: AbortSignal) {
  return fetch(gateway.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      authorization: `Bearer ${tokens[person]}`,
      ...headers,
    },
    body: JSON.stringify(message),
    ...(signal && { signal }),
  })
}

/** What a client does: a method with params, in one of the eras. */
interface Step {
  person: Person
  era: 'legacy' | 'modern'
  method: string
  params: JsonObject
}

/** The answer; a listen stream is left after its acknowledgement. */
async function take({ person, era, method, params }: Step): Promise<JsonObject> {
  asking = person
  if (era === 'legacy') {
    const headers = { 'mcp-session-id': sessions[person], 'mcp-protocol-version': LEGACY[0]! }
    return lastOf(await (await post(person, headers, { jsonrpc: '2.0', id: 2, method, params })).text())
  }
  const name = params['name'] ?? params['uri'] ?? params['taskId']
  const headers = {
    'mcp-protocol-version': MODERN,
    'mcp-method': method,
    ...(typeof name === 'string' && { 'mcp-name': name }),
  }
  const _meta = { [META.version]: MODERN, [META.capabilities]: { extensions: { [TASKS]: {} } } }
  const message = { jsonrpc: '2.0', id: 2, method, params: { ...params, _meta } }
  if (method !== 'subscriptions/listen') return lastOf(await (await post(person, headers, message)).text())
  const stop = new AbortController()
  const answer = await post(person, headers, message, stop.signal)
  const reader = answer.body!.getReader()
  const { value } = await reader.read()
  stop.abort()
  await reader.cancel().catch(() => undefined)
  return lastOf(Buffer.from(value ?? []).toString())
}

function lastOf(text: string): JsonObject {
  const lines = text.split('\n').filter((line) => line.startsWith('data: {'))
  const json = lines.at(-1)?.slice(6) ?? text
  return json === '' ? {} : (JSON.parse(json) as JsonObject)
}

const anybody = fc.constantFrom(...(Object.keys(PEOPLE) as Person[]))
const era = fc.constantFrom('legacy' as const, 'modern' as const)
const shownName = (names: readonly string[]) =>
  fc.constantFrom(...NAMES.flatMap((backend) => names.map((name) => `${backend}_${name}`)), ...names, 'nobody')
const address = fc.constantFrom(
  ...NAMES.flatMap((name) =>
    [
      ...URIS,
      ...TEMPLATES,
      'docs://open/new',
      'docs://closed/new',
      'docs://elsewhere/x/y',
      'docs://open/../closed/b',
    ].map((uri) => uri.replace(':', `-${name}:`)),
  ),
  'skill://a/SKILL.md',
  'other://x',
)
const args = fc.dictionary(fc.constantFrom('p', 'q'), fc.constantFrom('x', 'y', 1, true), { maxKeys: 2 })
/** Ids that the backends know; those that clients know stand for the tasks that were begun, and are put in later. */
const taskId = fc.constantFrom('one-task-1', 'two-task-1', 'latest', 'first')
const refs = fc.oneof(
  shownName(PROMPTS).map((name) => ({ type: 'ref/prompt', name })),
  address.map((uri) => ({ type: 'ref/resource', uri })),
)
const request: fc.Arbitrary<{ method: string; params: JsonObject }> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      method: fc.constant('tools/call'),
      params: fc.record({ name: shownName(TOOLS), arguments: args }) as fc.Arbitrary<JsonObject>,
    }),
  },
  {
    weight: 1,
    arbitrary: shownName(['job']).map((name) => ({ method: 'tools/call', params: { name, arguments: {}, task: {} } })),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      method: fc.constant('prompts/get'),
      params: fc.record({
        name: shownName(PROMPTS),
        arguments: fc.dictionary(fc.constant('p'), fc.constantFrom('x', 'y')),
      }) as fc.Arbitrary<JsonObject>,
    }),
  },
  {
    weight: 6,
    arbitrary: fc
      .tuple(
        fc.constantFrom('resources/read', 'resources/read', 'resources/subscribe', 'resources/unsubscribe'),
        address,
      )
      .map(([method, uri]) => ({ method, params: { uri } })),
  },
  {
    weight: 2,
    arbitrary: fc.array(address, { minLength: 1, maxLength: 3 }).map((uris) => ({
      method: 'subscriptions/listen',
      params: { notifications: { resourceSubscriptions: uris, toolsListChanged: true } },
    })),
  },
  {
    weight: 6,
    arbitrary: refs.map((ref) => ({
      method: 'completion/complete',
      params: { ref, argument: { name: 'x', value: '' } },
    })),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom('tasks/get', 'tasks/cancel', 'tasks/result', 'tasks/update'), taskId)
      .map(([method, id]) => ({ method, params: { taskId: id, inputResponses: {} } })),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('skills/get', 'resources/directory/read')
      .chain((method) =>
        fc.constantFrom('skill://a/SKILL.md', 'skill://a', 'skill://b').map((uri) => ({ method, params: { uri } })),
      ),
  },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom(
        'vendor/do',
        'skills/list',
        'tasks/list',
        'ping',
        'tools/list',
        'prompts/list',
        'resources/list',
        'resources/templates/list',
        'server/discover',
        'roots/list',
        'sampling/createMessage',
      )
      .map((method) => ({ method, params: {} })),
  },
  { weight: 1, arbitrary: fc.constant({ method: 'logging/setLevel', params: { level: 'debug' } }) },
)
const step: fc.Arbitrary<Step> = fc
  .tuple(anybody, era, request)
  .map(([person, of, { method, params }]) => ({ person, era: of, method, params }))

const who = fc.constantFrom('principal', 'principal', 'principal == Client::"alice"', 'principal in THVGroup::"staff"')
const guard = fc.constantFrom(
  '',
  '',
  'when { principal has claim_level && principal.claim_level >= 2 }',
  'unless { principal == Client::"carol" }',
  'when { context.origin == "client" }',
)
const one = (action: string, resources: string[], conditions: string[]) =>
  fc
    .tuple(who, fc.constantFrom(...resources), fc.oneof(guard, fc.constantFrom(...conditions)))
    .map(([person, resource, condition]) => `(${person}, action == Action::"${action}", ${resource}) ${condition};`)
const policy = fc
  .tuple(
    fc.constantFrom('permit', 'permit', 'permit', 'forbid'),
    fc.oneof(
      one(
        'call_tool',
        ['resource', 'resource == Tool::"one_echo"', 'resource in Backend::"two"', 'resource == Tool::"two_job"'],
        [
          'when { context has arg_p && context.arg_p == "x" }',
          'when { resource has readOnlyHint && resource.readOnlyHint }',
          'unless { resource has arg_q }',
        ],
      ),
      one(
        'read_resource',
        ['resource', 'resource == Resource::"docs-one://open/a"', 'resource in Backend::"two"'],
        [
          'when { resource has name && resource.name like "docs-one://open/*" }',
          'unless { resource.name like "*closed*" }',
        ],
      ),
      one(
        'get_prompt',
        ['resource', 'resource == Prompt::"one_greet"', 'resource in Backend::"two"'],
        ['when { context has arg_p && context.arg_p == "x" }'],
      ),
      fc.tuple(who, guard).map(([person, condition]) => `(${person}, action, resource) ${condition};`),
    ),
  )
  .map(([effect, rest]) => `${effect}${rest}`)

/** What reached a backend. */
interface Effect {
  backend: BackendName
  method: string
  params: JsonObject
}

/** Asked on behalf of nobody: who the gateway is, and what there is. */
const HARMLESS = new Set([
  'initialize',
  'ping',
  'server/discover',
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'logging/setLevel',
  'tasks/list',
  // What is listed is looked at below.
  'skills/list',
  // An end of something.
  'resources/unsubscribe',
])

const countOf = () => NAMES.map((name) => backends[name].requests.length)
function effectsSince(counts: readonly number[]): Effect[] {
  return NAMES.flatMap((backend, index) =>
    backends[backend].requests.slice(counts[index]).flatMap(({ method, body }) => {
      const params = isObject(body?.['params']) ? body['params'] : {}
      if (method === undefined || method.startsWith('notifications/') || HARMLESS.has(method)) return []
      return [{ backend, method, params }]
    }),
  )
}

type Kind = 'Tool' | 'Prompt' | 'Resource'
const OPERATIONS = {
  Tool: { action: 'call_tool', operation: 'call', feature: 'tool' },
  Prompt: { action: 'get_prompt', operation: 'get', feature: 'prompt' },
  Resource: { action: 'read_resource', operation: 'read', feature: 'resource' },
} as const

/** The decision of Cedar over all policies, with everything there is. */
function allowed(
  policies: readonly string[],
  person: Person,
  kind: Kind,
  id: string,
  backend: BackendName,
  given: JsonObject = {},
): boolean {
  const { groups, ...claims } = PEOPLE[person] as JsonObject & { groups: string[] }
  const { action, operation, feature } = OPERATIONS[kind]
  const mine: Record<string, CedarValueJson> = {}
  for (const [name, value] of Object.entries(claims)) mine[`claim_${name}`] = value as CedarValueJson
  const asked: Record<string, CedarValueJson> = {}
  for (const [name, value] of Object.entries(given)) asked[`arg_${name}`] = value as CedarValueJson
  const principal = { type: 'Client', id: person }
  const resource = { type: kind, id }
  const parents = [
    { type: 'MCP', id: SERVER },
    { type: 'Backend', id: backend },
  ]
  const readOnly = kind === 'Tool' ? { readOnlyHint: id.endsWith('_echo') } : {}
  const entities: EntityJson[] = [
    { uid: principal, attrs: mine, parents: groups.map((group) => ({ type: 'THVGroup', id: group })) },
    {
      uid: resource,
      attrs: { ...asked, ...readOnly, ...(kind === 'Resource' ? { uri: id } : {}), name: id, operation, feature },
      parents,
    },
  ]
  const answer = cedar.isAuthorized({
    principal,
    action: { type: 'Action', id: action },
    resource,
    context: { ...mine, ...asked, origin: 'client' },
    entities,
    policies: { staticPolicies: Object.fromEntries(policies.map((text, index) => [`p${index}`, text])) },
  })
  if (answer.type === 'failure') throw new Error(answer.errors[0]?.message)
  return answer.response.decision === 'allow' && answer.response.diagnostics.errors.length === 0
}

/** Whether what reached a backend may have: by the policies, and for tasks by who began them. */
function mayHave(policies: readonly string[], person: Person, { backend, method, params }: Effect): boolean {
  const shown = `${backend}_${text(params['name'])}`
  const given = isObject(params['arguments']) ? params['arguments'] : {}
  switch (method) {
    case 'tools/call':
      return allowed(policies, person, 'Tool', shown, backend, given)
    case 'prompts/get':
      return allowed(policies, person, 'Prompt', shown, backend, given)
    case 'resources/read':
    case 'skills/get':
    case 'resources/directory/read':
      return allowed(policies, person, 'Resource', text(params['uri']), backend)
    case 'resources/subscribe':
      return followed.has(text(params['uri']))
    case 'subscriptions/listen': {
      const filter = params['notifications'] as JsonObject
      const uris = Array.isArray(filter['resourceSubscriptions']) ? filter['resourceSubscriptions'] : []
      return uris.every((uri) => followed.has(text(uri)))
    }
    case 'tasks/get':
    case 'tasks/cancel':
    case 'tasks/result':
    case 'tasks/update':
      return begun.get(text(params['taskId'])) === person
    default:
      return false
  }
}

/** What somebody in this run has asked to follow, and was allowed to. One stream upstream may serve all of them. */
const followed = new Set<string>()

/** Entries that this person is shown now. */
async function shownTo(person: Person): Promise<Set<string>> {
  const lists = {
    'prompts/list': 'prompts',
    'resources/list': 'resources',
    'resources/templates/list': 'resourceTemplates',
  }
  const found = new Set<string>()
  for (const [method, member] of Object.entries(lists)) {
    const { result } = await take({ person, era: 'modern', method, params: {} })
    const entries = isObject(result) ? (result[member] as JsonObject[]) : []
    for (const { name, uri, uriTemplate } of entries) found.add(text(uriTemplate ?? uri ?? name))
  }
  return found
}

/** Ids of tasks as clients know them. */
const known: string[] = []

/** With the id of a task that was begun, by whomever; some do not exist. */
function withTask({ person, era: of, method, params }: Step): Step {
  const { taskId: id } = params
  if (id === undefined) return { person, era: of, method, params }
  const chosen = id === 'latest' ? known.at(-1) : id === 'first' ? known[0] : id
  return { person, era: of, method, params: { ...params, ...(chosen !== undefined && { taskId: chosen }) } }
}

/** Resources that a step asks to follow. */
function urisOf({ method, params }: Step): string[] {
  if (method === 'resources/subscribe') return [params['uri'] as string]
  const { notifications } = params as { notifications?: { resourceSubscriptions: string[] } }
  return notifications?.resourceSubscriptions ?? []
}

/** Nothing is followed any more. */
async function leave(): Promise<void> {
  for (const uri of followed) {
    for (const person of Object.keys(PEOPLE) as Person[]) {
      await take({ person, era: 'legacy', method: 'resources/unsubscribe', params: { uri } })
    }
    await waitFor(() => NAMES.every((name) => backends[name].followers(uri) === 0))
  }
  followed.clear()
}

/** What reached backends when this step was taken, each checked. */
async function checked(policies: readonly string[], each: Step): Promise<Effect[]> {
  const { person, method, params } = each
  for (const uri of urisOf(each)) {
    if (NAMES.some((backend) => allowed(policies, person, 'Resource', uri, backend))) followed.add(uri)
  }
  const visible = method === 'completion/complete' ? await shownTo(person) : new Set<string>()
  if (method === 'completion/complete') checkTemplates(policies, person, visible)
  const before = countOf()
  const answer = await take(each)
  const effects = effectsSince(before)
  for (const effect of effects) {
    const { ref } = params as { ref?: { name?: string; uri?: string } }
    const fine = effect.method === 'completion/complete' ? isVisible(visible, ref) : mayHave(policies, person, effect)
    expect(fine, `${JSON.stringify(each)} -> ${JSON.stringify(effect)} under ${policies.join('\n')}`).toBe(true)
  }
  if (method === 'tools/call') remember(answer)
  if (method === 'skills/list') {
    for (const uri of skillsIn(answer)) {
      expect(
        NAMES.some((name) => allowed(policies, person, 'Resource', uri, name)),
        uri,
      ).toBe(true)
    }
  }
  return effects
}

test('no path reaches a backend without a decision, and what is allowed does reach it', async () => {
  const policies = fc.array(policy, { minLength: 1, maxLength: 4 })
  const steps = fc.array(step, { minLength: 5, maxLength: 15 })
  await fc.assert(
    fc.asyncProperty(policies, steps, async (texts, taken) => {
      await gateway.reload(config(texts))
      for (const each of taken) {
        const one = withTask(each)
        const effects = await checked(texts, one)
        if (one.method !== 'tools/call' || one.params['task'] !== undefined) continue
        const [shown, backend] = /^(one|two)_(?:echo|secret|job)$/u.exec(text(one.params['name'])) ?? []
        const should =
          shown !== undefined &&
          allowed(texts, one.person, 'Tool', shown, backend as BackendName, one.params['arguments'] as JsonObject)
        expect(effects.filter(({ method }) => method === 'tools/call')).toHaveLength(should ? 1 : 0)
      }
      await leave()
    }),
    { numRuns: RUNS },
  )
})

/** Templates that are shown: of the closed ones policies know all, of the open ones some URIs may be allowed. */
function checkTemplates(policies: readonly string[], person: Person, visible: ReadonlySet<string>): void {
  for (const backend of NAMES) {
    const may = (uri: string) => allowed(policies, person, 'Resource', `docs-${backend}://${uri}`, backend)
    const shown = (place: string) => visible.has(`docs-${backend}://${place}/{x}`)
    const told = `${person} ${backend} under ${policies.join('\n')}`
    expect(shown('closed'), told).toBe(may('closed/new'))
    if (['open/a', 'open/new', 'open/closed'].some(may)) expect(shown('open'), told).toBe(true)
  }
}

/** Whether what is to be completed is shown to the person, or is of a template that is. */
function isVisible(visible: ReadonlySet<string>, ref: { name?: string; uri?: string } | undefined): boolean {
  const { name = '', uri } = ref ?? {}
  if (visible.has(uri ?? name)) return true
  return uri !== undefined && isOfTemplate(visible, uri)
}

/** A URI that a visible template stands for. */
function isOfTemplate(visible: ReadonlySet<string>, uri: string): boolean {
  if (NAMES.flatMap((name) => URIS.map((each) => each.replace(':', `-${name}:`))).includes(uri)) return false
  return TEMPLATES.some((template) =>
    NAMES.some((name) => {
      const shown = template.replace(':', `-${name}:`)
      return visible.has(shown) && uri.startsWith(shown.split('{', 1)[0] ?? '')
    }),
  )
}

function skillsIn({ result }: JsonObject): string[] {
  const skills = isObject(result) && Array.isArray(result['skills']) ? (result['skills'] as JsonObject[]) : []
  return skills.map(({ uri }) => text(uri))
}

function remember({ result }: JsonObject): void {
  if (!isObject(result)) return
  const task = isObject(result['task']) ? result['task'] : result
  if (typeof task['taskId'] === 'string') known.push(task['taskId'])
}
