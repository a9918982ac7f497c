import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { logger } from '../../../src/telemetry/log.ts'
import type { JsonObject } from '../../../src/model/json.ts'
import { startGateway, type TestGateway } from '../../support/gateway.ts'
import { startHttpBackend, type HttpBackend } from '../../support/http-backend.ts'
import { signingKey, type SigningKey } from '../../support/oidc/signing.ts'
import { messageOf, openRaw, rawRequest, requestBytes, type RawConnection } from '../../support/raw-http.ts'
import { ECHO_TOOL } from '../../support/script.ts'
import { work, WORK_TOOL } from '../../support/work.ts'
import { bearer, HELLO, legacy, modern } from './shots.ts'
import { HOSTILE_TEMPLATES, HOSTILE_TOOLS } from './hostile.ts'

export const RESOURCE = 'https://mcp.example/mcp'
export const METADATA = 'https://mcp.example/.well-known/oauth-protected-resource/mcp'
export const CLIENT_SECRET = 'the-secret-of-the-gateway-at-its-issuer'
const SECRET_VARIABLE = 'ATTACKS_CLIENT_SECRET'
const SEALING_KEY = Buffer.alloc(32, 'sealing key of the attacks').toString('base64')
const SEALING_VARIABLE = 'ATTACKS_SEALING_KEY'

/** One gateway with everything on, and what attackers have and want. */
export interface World {
  gateway: TestGateway
  port: number
  backends: readonly HttpBackend[]
  /** Their tokens are trusted: those of `other` with the prefix `b:`. */
  issuer: string
  other: string
  keys: {
    rsa: SigningKey
    ec: SigningKey
    ed: SigningKey
    other: SigningKey
    attacker: SigningKey
    encryption: SigningKey
  }
  /** Claims of a good token of Mallory, whom only what is meant for everybody is permitted. */
  claims: (change?: JsonObject) => JsonObject
  token: (change?: JsonObject, header?: Record<string, unknown>) => Promise<string>
  /** A token that is signed, whose claims are this text. */
  tokenOf: (claims: string) => Promise<string>
  mallory: string
  alice: string
  bob: string
  /** Somebody of `other` whom it calls Alice. */
  otherAlice: string
  /** Alice with another client. */
  aliceElsewhere: string
  /** Introspection answers by opaque token; all others are inactive. */
  opaque: Map<string, unknown>
  /** An address that nobody has a reason to ask. */
  canary: { url: string; hits: string[] }
  /** What belongs to Alice. */
  session: string
  stream: string
  cursor: string
  task: string
  /** A session of Mallory's own. */
  own: string
  /** A call of hers that waits for an answer. */
  parked: { params: JsonObject; requestState: string }
  /** Everything that may stand in no log and in no answer. */
  secrets: Set<string>
  /** Lines of the log, of all levels and in both formats. */
  log: string[]
  close: () => Promise<void>
}

const tool = (name: string, more: JsonObject = {}): JsonObject => ({ name, inputSchema: { type: 'object' }, ...more })

/** More than fit on one page. */
const FILLERS = Array.from({ length: 1100 }, (_, index) => tool(`filler_${index}`))

const PARAMETER: JsonObject = {
  inputSchema: { type: 'object', properties: { city: { type: 'string', 'x-mcp-header': 'City' } } },
}

const STARS = `${'*a'.repeat(40)}*b`

const to = (name: string): string => `action == Action::"call_tool", resource == Tool::"${name}"`
const POLICIES = [
  '@id("alice") permit(principal == Client::"alice", action, resource);',
  `@id("bob") permit(principal == Client::"bob", ${to('echo')});`,
  `@id("guarded") permit(principal, ${to('guarded')}) when { context has arg_path && context.arg_path == "public" };`,
  `@id("no root") forbid(principal, ${to('guarded')}) when { context has arg_root && context.arg_root == true };`,
  `@id("counted") permit(principal, ${to('counted')}) when { context has arg_n && context.arg_n < 100 };`,
  `@id("starry") permit(principal, ${to('starry')}) when { context has arg_text && context.arg_text like "${STARS}" };`,
  `@id("staff") permit(principal in THVGroup::"staff", ${to('staffed')});`,
  `@id("limited") permit(principal, ${to('limited')});`,
  `@id("param") permit(principal, ${to('param')});`,
  `@id("open") permit(principal, action == Action::"read_resource", resource) when { resource has name && resource.name like "many://*" };`,
  // Of no use to anybody, and to be looked at by nobody.
  ...Array.from({ length: 1000 }, (_, index) => `permit(principal == Client::"p${index}", ${to(`filler_${index}`)});`),
]

/** The arguments that a backend got, as it got them. */
const mirror = (_name: string, args: JsonObject): JsonObject => ({ content: [], structuredContent: { args } })

export async function startWorld(): Promise<World> {
  process.env[SECRET_VARIABLE] = CLIENT_SECRET
  process.env[SEALING_VARIABLE] = SEALING_KEY
  const [rsa, ec, ed, otherKey, attacker, encryption] = await Promise.all(
    ['RS256', 'ES256', 'EdDSA', 'RS256', 'RS256', 'RS256'].map((alg, index) => signingKey(alg, `key ${index}`)),
  )
  const keys = { rsa: rsa!, ec: ec!, ed: ed!, other: otherKey!, attacker: attacker!, encryption: encryption! }
  const opaque = new Map<string, unknown>()
  const issuers = await startIssuers(keys, opaque)
  const hits: string[] = []
  const canary = await listening((req, res) => {
    hits.push(`${req.method} ${req.url}`)
    res.end('{}')
  })
  const canaryUrl = urlOf(canary)

  const tools = await startHttpBackend({
    name: 'tools',
    tools: [
      ECHO_TOOL,
      ...['guarded', 'counted', 'starry', 'staffed', 'limited'].map((name) => tool(name)),
      tool('param', PARAMETER),
      tool('pictured', { icons: [{ src: `${canaryUrl}/icon.png` }] }),
      ...HOSTILE_TOOLS,
      ...FILLERS,
    ],
    templates: HOSTILE_TEMPLATES,
    resources: [{ uri: 'docs://closed/b', name: 'b', icons: [{ src: `${canaryUrl}/resource.svg` }] }],
    prompts: [{ name: 'greet' }],
    completions: ['one'],
    subscribable: true,
    call: mirror,
  })
  const task = { taskId: 'native-task', status: 'working', createdAt: 'c', lastUpdatedAt: 'l', ttlMs: null }
  const jobs = await startHttpBackend({
    name: 'jobs',
    era: 'modern',
    tools: [tool('job')],
    capabilities: { extensions: { 'io.modelcontextprotocol/tasks': {} } },
    methods: {
      'tools/call': () => ({ resultType: 'task', ...task }),
      'tasks/get': () => task,
      'tasks/update': () => ({}),
      'tasks/cancel': () => ({}),
    },
  })
  const asking = await startHttpBackend({
    name: 'asking',
    era: 'legacy',
    tools: [WORK_TOOL],
    call: (_name, args, exchange) => work(args, exchange, () => {}),
  })
  const backends = [tools, jobs, asking]

  const insecure = { insecureAllowHttp: true, jwksAllowPrivateIp: true, requiredScopes: ['mcp'] }
  const gateway = await startGateway({
    name: 'srv',
    publicUrl: RESOURCE,
    backends: backends.map(({ script, url }) => ({ name: script.name, url })),
    aggregation: { onlyOnConflict: true },
    sealing: { keys: [{ id: 'k', valueEnv: SEALING_VARIABLE }] },
    incomingAuth: {
      type: 'oidc',
      oidc: [
        {
          issuer: issuers.a,
          introspectionUrl: `${issuers.a}/introspect`,
          clientId: 'gateway',
          clientSecretEnv: SECRET_VARIABLE,
          ...insecure,
        },
        { issuer: issuers.b, subjectPrefix: 'b:', ...insecure },
      ],
      authz: { type: 'cedar', policies: POLICIES, groupClaimName: 'groups' },
    },
    rateLimiting: {
      perUser: { maxTokens: 100_000, refillPeriod: '1s' },
      tools: [{ name: 'limited', perUser: { maxTokens: 1, refillPeriod: '1h' } }],
    },
  })
  const log: string[] = []
  for (const format of ['text', 'json'] as const) {
    gateway.gateway.telemetry.subscribe(logger(format, (line) => log.push(line)))
  }
  const port = Number(new URL(gateway.url).port)

  const claims = (change: JsonObject = {}): JsonObject => {
    const now = Math.floor(Date.now() / 1000)
    const usual = { iss: issuers.a, sub: 'mallory', aud: RESOURCE, client_id: 'app', scope: 'mcp' }
    return { ...usual, iat: now, exp: now + 600, ...change }
  }
  const token = (change?: JsonObject, header?: Record<string, unknown>) => keys.rsa.mint(claims(change), header)
  const [mallory, alice, bob, aliceElsewhere, otherAlice] = await Promise.all([
    token(),
    token({ sub: 'alice' }),
    token({ sub: 'bob' }),
    token({ sub: 'alice', client_id: 'another' }),
    keys.other.mint(claims({ sub: 'alice', iss: issuers.b })),
  ])

  const world = {
    gateway,
    port,
    backends,
    issuer: issuers.a,
    other: issuers.b,
    keys,
    claims,
    token,
    tokenOf: (text: string) => signText(keys.rsa, text),
    mallory,
    alice,
    bob,
    otherAlice,
    aliceElsewhere,
    opaque,
    canary: { url: canaryUrl, hits },
    secrets: new Set([CLIENT_SECRET, SEALING_KEY, mallory, alice, bob, otherAlice, aliceElsewhere]),
    log,
  }
  const hers = await belongings(port, alice)
  const own = (await rawRequest(port, legacy(mallory, undefined, HELLO))).headers['mcp-session-id'] ?? ''
  return {
    ...world,
    ...hers,
    own,
    async close() {
      hers.events.socket.destroy()
      await gateway.close()
      await Promise.all(backends.map((backend) => backend.close()))
      for (const server of [issuers.server, canary]) {
        server.closeAllConnections()
        server.close()
      }
    },
  }
}

/** What Alice begins, so that others can try to take it. */
async function belongings(port: number, alice: string) {
  const hello = await rawRequest(port, legacy(alice, undefined, HELLO))
  const session = hello.headers['mcp-session-id'] ?? ''
  const events = await openRaw(port)
  const stream = await streamId(events, alice)
  const ask = async (method: string, params: JsonObject = {}) =>
    messageOf(await rawRequest(port, modern(alice, method, params)))['result'] as JsonObject
  const cursor = (await ask('tools/list'))['nextCursor'] as string
  const task = (await ask('tools/call', { name: 'job', arguments: {} }))['taskId'] as string
  const params = { name: 'work', arguments: { key: 'k', ask: true } }
  const requestState = (await ask('tools/call', params))['requestState'] as string
  for (const value of [session, stream, cursor, task, requestState]) {
    if (typeof value !== 'string' || value === '')
      throw new Error('Alice could not begin what others are to try to take')
  }
  return { session, stream, cursor, task, parked: { params, requestState }, events }
}

async function streamId(events: RawConnection, token: string): Promise<string> {
  const answered = new Promise<string>((resolve) => {
    let text = ''
    events.socket.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const id = /sessionId=([\w-]+)/u.exec(text)?.[1]
      if (id !== undefined) resolve(id)
    })
  })
  const headers = {
    ...bearer(token),
    accept: 'text/event-stream',
    'content-type': undefined,
    'content-length': undefined,
  }
  events.write(requestBytes({ method: 'GET', path: '/sse', headers }))
  return answered
}

async function signText(key: SigningKey, claims: string): Promise<string> {
  const { CompactSign, importJWK } = await import('jose')
  return new CompactSign(new TextEncoder().encode(claims))
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'at+jwt' })
    .sign(await importJWK(key.privateJwk, key.alg))
}

async function startIssuers(keys: World['keys'], opaque: ReadonlyMap<string, unknown>) {
  let origin = ''
  const server = await listening((req, res) => {
    const path = req.url ?? ''
    const json = (value: unknown) => res.setHeader('content-type', 'application/json').end(JSON.stringify(value))
    const at = (name: string) => ({ issuer: `${origin}/${name}`, jwks_uri: `${origin}/${name}/jwks` })
    if (path.endsWith('/.well-known/openid-configuration')) return json(at(path.slice(1, 2)))
    if (path === '/a/jwks') {
      const { kid, ...nameless } = keys.ed.publicJwk
      const encryption = { ...keys.encryption.publicJwk, use: 'enc' }
      return json({ keys: [keys.rsa.publicJwk, keys.ec.publicJwk, nameless, encryption, null, 'x', { kty: kid }] })
    }
    if (path === '/b/jwks') return json({ keys: [keys.other.publicJwk] })
    if (path === '/a/introspect') {
      let body = ''
      req.on('data', (chunk: Buffer) => (body += chunk.toString()))
      return req.on('end', () => json(opaque.get(new URLSearchParams(body).get('token') ?? '') ?? { active: false }))
    }
    return res.writeHead(404).end()
  })
  origin = urlOf(server)
  return { server, a: `${origin}/a`, b: `${origin}/b` }
}

export async function listening(listener: (req: IncomingMessage, res: ServerResponse) => unknown): Promise<Server> {
  const server = createServer((req, res) => void listener(req, res))
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done))
  return server
}

export const urlOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
