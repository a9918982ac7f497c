import { createRequire } from 'node:module'
import type * as Wasm from '@cedar-policy/cedar-wasm/nodejs'
import type { CedarValueJson, EntityJson } from '@cedar-policy/cedar-wasm/nodejs'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { readPolicies } from '../../src/auth/policy/compile.ts'
import { decide, mayBeAllowed } from '../../src/auth/policy/decide.ts'
import { neverMatches } from '../../src/auth/policy/never.ts'
import type { PolicyRequest, Target } from '../../src/auth/policy/request.ts'
import type { PolicySet } from '../../src/auth/policy/set.ts'
import type { JsonObject, JsonValue } from '../../src/model/json.ts'
import { ANONYMOUS } from '../../src/model/principal.ts'
import type { Principal } from '../../src/model/principal.ts'

const cedar = createRequire(import.meta.url)('@cedar-policy/cedar-wasm/nodejs') as typeof Wasm

const RUNS = 240
const SERVER = 'srv'
const GROUP = 'eng'
const ENTITIES = [
  { uid: { type: 'THVGroup', id: 'dev' }, attrs: {}, parents: [{ type: 'THVGroup', id: 'staff' }] },
  { uid: { type: 'Tool', id: 'b' }, attrs: { owner: 'bob' }, parents: [{ type: 'Tool', id: 'a' }] },
  { uid: { type: 'Client', id: 'bob' }, attrs: { level: 3 }, parents: [{ type: 'THVGroup', id: 'ops' }] },
]

// Few names, so that policies, principals, targets and calls meet often.
const word = fc.constantFrom('x', 'y', 'bob')
const literal = fc.oneof(
  word.map((text) => JSON.stringify(text)),
  fc.integer({ min: -2, max: 3 }).map(String),
  fc.constantFrom('true', 'false'),
)
const read = fc.constantFrom(
  'principal.claim_t',
  'principal.claim_n',
  'principal.level',
  'context.claim_t',
  'context.arg_p',
  'context.arg_q',
  'resource.arg_p',
  'resource.name',
  'resource.owner',
  'resource.readOnlyHint',
  'context.origin',
  'context.workflow',
)
const has = (path: string): string => path.replace('.', ' has ')
const atom = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(read, fc.constantFrom('==', '!='), literal).map((parts) => parts.join(' ')) },
  { weight: 3, arbitrary: fc.tuple(read, fc.constantFrom('<', '>='), literal).map((parts) => parts.join(' ')) },
  { weight: 4, arbitrary: read.map(has) },
  { weight: 4, arbitrary: fc.tuple(read, literal).map(([path, value]) => `(${has(path)} && ${path} == ${value})`) },
  { weight: 1, arbitrary: fc.tuple(read, read).map(([a, b]) => `${a} == ${b}`) },
  { weight: 1, arbitrary: fc.tuple(read, word).map(([a, b]) => `${a} like "${b}*"`) },
  { weight: 1, arbitrary: fc.constantFrom('context has arg_c_present', 'context == {}', '{a: resource}.a has arg_p') },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      'principal in THVGroup::"staff"',
      'principal == Client::"bob"',
      'resource in Backend::"git"',
      'resource == Tool::"a"',
      'principal in [THVGroup::"ops", Client::"x"]',
      '[Client::"bob"].contains(principal)',
      'Client::"bob" in THVGroup::"ops"',
      'Backend::"git" in Group::"eng"',
      '[principal, Client::"x"].contains(Client::"x")',
      '(if principal == Client::"x" then resource else principal) has claim_t',
      'true',
      'false',
    ),
  },
)
const condition = fc.letrec<{ any: string }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { weight: 4, arbitrary: atom },
    {
      weight: 2,
      arbitrary: fc.tuple(tie('any'), fc.constantFrom('&&', '||'), tie('any')).map((p) => `(${p.join(' ')})`),
    },
    { weight: 1, arbitrary: tie('any').map((one) => `!(${one})`) },
    {
      weight: 1,
      arbitrary: fc.tuple(tie('any'), tie('any'), tie('any')).map(([a, b, c]) => `(if ${a} then ${b} else ${c})`),
    },
  ),
})).any

const clause = fc.tuple(fc.constantFrom('when', 'unless'), condition).map(([kind, body]) => `${kind} { ${body} }`)
const scope = fc.tuple(
  fc.constantFrom(
    'principal',
    'principal == Client::"bob"',
    'principal in THVGroup::"staff"',
    'principal is Client in THVGroup::"ops"',
  ),
  fc.constantFrom(
    'action',
    'action == Action::"call_tool"',
    'action in [Action::"call_tool", Action::"get_prompt"]',
    'action == Action::"read_resource"',
  ),
  fc.constantFrom(
    'resource',
    'resource',
    'resource == Tool::"a"',
    'resource in Tool::"a"',
    'resource in Backend::"git"',
    'resource in MCP::"srv"',
    'resource in Group::"eng"',
    'resource is Tool',
    'resource is Tool in Backend::"git"',
    'resource == Resource::"file:///a"',
    'resource == Prompt::"a"',
  ),
)
const policy = fc
  .tuple(fc.constantFrom('permit', 'permit', 'forbid'), scope, fc.array(clause, { maxLength: 2 }))
  .map(([effect, parts, clauses]) => `${effect}(${parts.join(', ')}) ${clauses.join(' ')};`)

const principal: fc.Arbitrary<Principal> = fc.oneof(
  { weight: 1, arbitrary: fc.constant(ANONYMOUS) },
  {
    weight: 6,
    arbitrary: fc
      .tuple(
        word,
        fc.subarray(['dev', 'ops', 'staff']),
        fc.option(fc.oneof(word, fc.boolean())),
        fc.option(fc.integer({ min: 0, max: 3 })),
      )
      .map(([id, groups, t, n]) =>
        identified(id, { groups, ...(t === null ? {} : { t }), ...(n === null ? {} : { n }) }),
      ),
  },
)

function identified(id: string, claims: JsonObject): Principal {
  return {
    kind: 'identified',
    key: id,
    id,
    issuer: 'i',
    subject: id,
    client: undefined,
    scopes: [],
    claims,
    expiresAt: undefined,
    proof: undefined,
  }
}

const target: fc.Arbitrary<Target> = fc.record({
  kind: fc.constantFrom('tool' as const, 'tool' as const, 'resource' as const, 'prompt' as const),
  name: fc.constantFrom('a', 'b', 'x', 'file:///a'),
  backend: fc.constantFrom('git', 'other', undefined),
  annotations: fc.option(fc.record({ readOnlyHint: fc.oneof(fc.boolean(), fc.constant('yes')) }), { nil: undefined }),
})
const argument: fc.Arbitrary<JsonValue> = fc.oneof(word, fc.integer({ min: -2, max: 3 }), fc.boolean())
interface Called {
  arguments: JsonObject
  complex: boolean
  origin: 'client' | 'workflow'
  workflow: string | undefined
}
const call: fc.Arbitrary<Called> = fc.record({
  arguments: fc.dictionary(fc.constantFrom('p', 'q', 'r'), argument),
  complex: fc.boolean(),
  origin: fc.constantFrom('client' as const, 'client' as const, 'workflow' as const),
  workflow: fc.constantFrom(undefined, undefined, 'x'),
})

/** As the contract says it, with everything there is and no thought for speed. */
const value = (one: JsonValue): CedarValueJson =>
  typeof one === 'number' && !Number.isInteger(one)
    ? { __extn: { fn: 'decimal', arg: String(one) } }
    : Array.isArray(one)
      ? one.map(value)
      : (one as CedarValueJson)
const prefixed = (prefix: string, object: JsonObject): Record<string, CedarValueJson> =>
  Object.fromEntries(Object.entries(object).map(([name, one]) => [prefix + name, value(one ?? null)]))

function reference(policies: readonly string[], request: PolicyRequest): boolean | undefined {
  const { principal: who, target: what } = request
  const claims = who.kind === 'anonymous' ? {} : prefixed('claim_', who.claims)
  const args: Record<string, CedarValueJson> = {}
  for (const [name, one] of Object.entries(request.arguments ?? {}))
    if (typeof one === 'object') args[`arg_${name}_present`] = true
    else args[`arg_${name}`] = value(one ?? null)
  const types = {
    tool: ['Tool', 'call', 'call_tool'],
    resource: ['Resource', 'read', 'read_resource'],
    template: ['', '', ''],
    prompt: ['Prompt', 'get', 'get_prompt'],
  }
  const [type = '', operation = '', action = ''] = types[what.kind]
  const uid = { type: 'Client', id: who.kind === 'anonymous' ? 'anonymous' : who.id }
  const groups = who.kind === 'anonymous' ? [] : (who.claims['groups'] as string[])
  const hint = what.annotations?.['readOnlyHint']
  const configured = new Map(ENTITIES.map((one) => [`${one.uid.type} ${one.uid.id}`, one as EntityJson]))
  const with_ = (entity: EntityJson): void => {
    const { type: kind, id } = entity.uid as { type: string; id: string }
    const own = configured.get(`${kind} ${id}`)
    configured.set(`${kind} ${id}`, {
      ...entity,
      attrs: { ...own?.attrs, ...entity.attrs },
      parents: [...entity.parents, ...(own?.parents ?? [])],
    })
  }
  with_({ uid, attrs: claims, parents: groups.map((id) => ({ type: 'THVGroup', id })) })
  with_({
    uid: { type, id: what.name },
    attrs: {
      ...args,
      ...(typeof hint === 'boolean' ? { readOnlyHint: hint } : {}),
      ...(what.kind === 'resource' ? { uri: what.name } : {}),
      name: what.name,
      operation,
      feature: what.kind,
    },
    parents: [
      { type: 'MCP', id: SERVER },
      ...(what.backend === undefined ? [] : [{ type: 'Backend', id: what.backend }]),
    ],
  })
  if (what.backend !== undefined)
    with_({ uid: { type: 'Backend', id: what.backend }, attrs: {}, parents: [{ type: 'Group', id: GROUP }] })
  const answer = cedar.isAuthorized({
    principal: uid,
    action: { type: 'Action', id: action },
    resource: { type, id: what.name },
    context: {
      ...claims,
      ...args,
      origin: request.origin,
      ...(request.workflow === undefined ? {} : { workflow: request.workflow }),
    },
    entities: [...configured.values()],
    policies: { staticPolicies: Object.fromEntries(policies.map((text, index) => [`p${index}`, text])) },
  })
  if (answer.type === 'failure') throw new Error(answer.errors[0]?.message)
  return answer.response.decision === 'allow' && answer.response.diagnostics.errors.length === 0
}

/** Unchecked, so that policies which can never match, or always fail, are decided like others. */
async function read_(policies: readonly string[]): Promise<PolicySet> {
  const settings = { policies, entitiesJson: JSON.stringify(ENTITIES), serverName: SERVER, group: GROUP }
  const { set, faults } = await readPolicies(settings)
  expect(faults).toEqual([])
  return set
}

const policies = fc.array(policy, { minLength: 1, maxLength: 6 })
const asked = fc.record({ principal, target, call })

function requestOf({ principal, target, call }: { principal: Principal; target: Target; call: Called }): PolicyRequest {
  const args = { ...call.arguments, ...(call.complex ? { c: [1, { __entity: { type: 'Client', id: 'bob' } }] } : {}) }
  return { principal, target, arguments: args, origin: call.origin, workflow: call.workflow }
}

test('a decision is that of cedar over all policies, whatever was asked before', async () => {
  await fc.assert(
    fc.asyncProperty(policies, fc.array(asked, { minLength: 1, maxLength: 8 }), async (texts, questions) => {
      const set = await read_(texts)
      for (const question of [...questions, ...questions]) {
        const request = requestOf(question)
        // An argument that cannot be held denies where the whole context is looked at.
        if (question.call.complex && texts.some((text) => text.includes('context =='))) continue
        expect(decide(set, request).kind === 'allow').toBe(reference(texts, request))
      }
    }),
    { numRuns: RUNS },
  )
})

test('what is callable is listed, and so is its template', async () => {
  await fc.assert(
    fc.asyncProperty(policies, fc.array(asked, { minLength: 1, maxLength: 8 }), async (texts, questions) => {
      const set = await read_(texts)
      for (const question of questions) {
        const request = { ...requestOf(question), origin: 'client' as const, workflow: undefined }
        if (decide(set, request).kind !== 'allow') continue
        expect(mayBeAllowed(set, request)).toBe(true)
        if (question.target.kind !== 'resource') continue
        const name = question.target.name.startsWith('file:') ? 'file:///{path}' : '{any}'
        expect(mayBeAllowed(set, { ...request, target: { ...question.target, kind: 'template', name } })).toBe(true)
      }
    }),
    { numRuns: RUNS },
  )
})

// Few letters, so that heads, tails, patterns and URIs meet often.
const piece = fc.constantFrom('', 'a', 'b', 'a/', 'ab', '/b')
const uri = fc.tuple(piece, piece, piece).map((parts) => `d:${parts.join('')}`)
const pattern = fc
  .array(fc.oneof(piece, fc.constant('*')), { minLength: 1, maxLength: 5 })
  .chain((parts) => fc.constantFrom(parts.join(''), `d:${parts.join('')}`))
const resourceName = fc.constantFrom('resource.name', 'resource.uri')
const comparison = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(resourceName, pattern).map(([name, like]) => `${name} like "${like}"`) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(resourceName, fc.constantFrom('==', '!='), uri, fc.boolean())
      .map(([name, op, text, turned]) => (turned ? `"${text}" ${op} ${name}` : `${name} ${op} "${text}"`)),
  },
  { weight: 1, arbitrary: fc.tuple(uri, uri).map(([a, b]) => `["${a}", "${b}"].contains(resource.name)`) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom('== ', '!= ', 'in ', 'in [Tool::"a", Backend::"other"], '), uri)
      .map(([op, text]) =>
        op.endsWith(', ')
          ? `resource ${op.replace('], ', `, Resource::"${text}"]`)}`
          : `resource ${op}Resource::"${text}"`,
      ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      'resource in Backend::"git"',
      'resource in Shelf::"s"',
      'resource is Resource in MCP::"srv"',
      'resource is Tool',
      'resource has name',
      'resource has owner && resource.owner == "bob"',
      'resource.feature == "tool"',
      'resource.operation != "call"',
    ),
  },
  { weight: 3, arbitrary: atom },
)
const readCondition = fc.letrec<{ any: string }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { weight: 4, arbitrary: comparison },
    {
      weight: 3,
      arbitrary: fc.tuple(tie('any'), fc.constantFrom('&&', '||'), tie('any')).map((p) => `(${p.join(' ')})`),
    },
    { weight: 1, arbitrary: tie('any').map((one) => `!(${one})`) },
    {
      weight: 1,
      arbitrary: fc.tuple(tie('any'), tie('any'), tie('any')).map(([a, b, c]) => `(if ${a} then ${b} else ${c})`),
    },
  ),
})).any
const readPolicy = fc
  .tuple(
    fc.constantFrom('permit', 'permit', 'forbid'),
    fc.constantFrom('principal', 'principal == Client::"bob"', 'principal in THVGroup::"staff"'),
    fc.oneof(
      { weight: 3, arbitrary: fc.constant('resource') },
      { weight: 1, arbitrary: uri.map((text) => `resource == Resource::"${text}"`) },
      { weight: 1, arbitrary: uri.map((text) => `resource in Resource::"${text}"`) },
      {
        weight: 1,
        arbitrary: fc.constantFrom('resource in Backend::"git"', 'resource in Shelf::"s"', 'resource is Resource'),
      },
    ),
    fc.array(
      fc.tuple(fc.constantFrom('when', 'unless'), readCondition).map(([kind, body]) => `${kind} { ${body} }`),
      { maxLength: 2 },
    ),
  )
  .map(
    ([effect, person, resource, clauses]) =>
      `${effect}(${person}, action == Action::"read_resource", ${resource}) ${clauses.join(' ')};`,
  )
const SHELVES = [
  { uid: { type: 'Resource', id: 'd:ab' }, attrs: { owner: 'bob' }, parents: [{ type: 'Shelf', id: 's' }] },
  { uid: { type: 'Resource', id: 'd:a/b' }, attrs: {}, parents: [{ type: 'Resource', id: 'd:a' }] },
]

test('a template is listed to whom a URI that comes from it is allowed', async () => {
  const between = fc.tuple(piece, piece).map((parts) => parts.join(''))
  const expansion = fc.tuple(uri, between, piece, fc.constantFrom('{x}', '{+x}', '{a}{b}', '{?x}', '{/x*}', ''))
  let [allowed, hidden] = [0, 0]
  await fc.assert(
    fc.asyncProperty(
      fc.array(readPolicy, { minLength: 1, maxLength: 5 }),
      fc.array(fc.tuple(asked, expansion), { minLength: 1, maxLength: 10 }),
      async (texts, questions) => {
        const settings = {
          policies: texts,
          entitiesJson: JSON.stringify([...ENTITIES, ...SHELVES]),
          serverName: SERVER,
          group: GROUP,
        }
        const { set, faults } = await readPolicies(settings)
        expect(faults).toEqual([])
        for (const [question, [head, value, tail, expression]] of questions) {
          const { principal: person, arguments: given } = requestOf(question)
          const of = (target: Target): PolicyRequest => ({
            principal: person,
            target,
            arguments: given,
            origin: 'client',
          })
          const { backend } = question.target
          const name = `${head}${expression === '' ? '' : value}${tail}`
          const template = `${head}${expression}${tail}`
          const listed = mayBeAllowed(set, of({ kind: 'template', name: template, backend }))
          if (!listed) hidden++
          if (decide(set, of({ kind: 'resource', name, backend })).kind !== 'allow') continue
          allowed++
          expect(listed, `${template} of which ${name} is allowed`).toBe(true)
        }
      },
    ),
    { numRuns: RUNS * 2 },
  )
  // Neither is the exception.
  expect(Math.min(allowed, hidden)).toBeGreaterThan(RUNS / 4)
})

/** Few values, so that some contradict each other. */
const fact = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('resource.name', 'context.arg_p', 'principal.claim_t', 'context.origin', 'resource.feature'),
      fc.constantFrom('==', '!='),
      fc.constantFrom('"x"', '"a"', '1', '"client"', '"tool"', '"clients"'),
    )
    .map((parts) => parts.join(' ')),
  fc.constantFrom(
    'principal == Client::"bob"',
    'principal == Client::"x"',
    'resource == Tool::"a"',
    'resource == Tool::"x"',
    'resource in Backend::"nobody"',
    'resource in [Backend::"git", Backend::"nobody"]',
    '["clients", "workflow"].contains(context.origin)',
    '1 > 2',
    '2 >= 1',
    'true',
  ),
)
const facts = fc.letrec<{ any: string }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    { weight: 3, arbitrary: fact },
    {
      weight: 4,
      arbitrary: fc.tuple(tie('any'), fc.constantFrom('&&', '&&', '||'), tie('any')).map((p) => `(${p.join(' ')})`),
    },
    { weight: 1, arbitrary: tie('any').map((one) => `!(${one})`) },
    {
      weight: 1,
      arbitrary: fc.tuple(tie('any'), tie('any'), tie('any')).map(([a, b, c]) => `(if ${a} then ${b} else ${c})`),
    },
  ),
})).any

test('what is said never to match never does', async () => {
  const texts = fc
    .tuple(scope, fc.constantFrom('when', 'unless'), facts)
    .map(([parts, kind, body]) => `permit(${parts.join(', ')}) ${kind} { ${body} };`)
  let [never, matched] = [0, 0]
  await fc.assert(
    fc.asyncProperty(texts, fc.array(asked, { minLength: 10, maxLength: 20 }), async (text, questions) => {
      const set = await read_([text])
      const [rule] = set.rules
      const why = rule && neverMatches(rule, ({ type, id }) => type === 'Backend' && id === 'nobody')
      if (why) never++
      for (const question of questions) {
        if (decide(set, requestOf(question)).kind !== 'allow') continue
        matched++
        expect(why, text).toBe(undefined)
      }
    }),
    { numRuns: RUNS },
  )
  expect(Math.min(never, matched)).toBeGreaterThan(RUNS / 20)
})

/** Permits ask for values of arguments, forbids exclude single ones, so there is always a value that is left. */
const choice = fc.tuple(fc.constantFrom('p', 'q'), fc.integer({ min: 0, max: 3 }))
const who = fc.constantFrom('principal.claim_t == "x"', 'principal in THVGroup::"dev"', 'true')
const permit = fc
  .array(fc.tuple(who, choice, fc.constantFrom('==', '>=', '!=', '<=')), { minLength: 1, maxLength: 3 })
  .map((parts) =>
    parts.map(
      ([person, [name, limit], op]) =>
        `principal has claim_t && ${person} && context has arg_${name} && context.arg_${name} ${op} ${limit}`,
    ),
  )
  .chain((parts) =>
    fc.constantFrom(`permit(principal, action, resource) when { ${parts.map((one) => `(${one})`).join(' || ')} };`),
  )
const forbid = fc
  .tuple(who, choice)
  .map(
    ([person, [name, limit]]) =>
      `forbid(principal, action, resource) when { principal has claim_t && ${person} && context has arg_${name} && context.arg_${name} == ${limit + 10} };`,
  )

test('what is listed is callable with some arguments, where policies compare arguments with constants', async () => {
  const values = Array.from({ length: 20 }, (_, index) => index - 2)
  const candidates = values.flatMap((p) => [{ p }, { q: p }])
  const rules = fc.tuple(fc.array(permit, { minLength: 1, maxLength: 3 }), fc.array(forbid, { maxLength: 2 }))
  await fc.assert(
    fc.asyncProperty(rules, principal, target, async ([permits, forbids], person, what) => {
      const set = await read_([...permits, ...forbids])
      const allowed = candidates.some(
        (args) => decide(set, { principal: person, target: what, arguments: args, origin: 'client' }).kind === 'allow',
      )
      expect(mayBeAllowed(set, { principal: person, target: what, origin: 'client' })).toBe(allowed)
    }),
    { numRuns: RUNS / 4 },
  )
})
