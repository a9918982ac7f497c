import { createHmac, createPublicKey } from 'node:crypto'
import type { JsonWebKey } from 'node:crypto'
import type { JsonObject } from '../../../src/model/json.ts'
import { hmacSigned, tampered, unsigned } from '../../support/oidc/signing.ts'
import { type Attack, type Expected, INVALID, MISSING, UNKNOWN } from './row.ts'
import { callWith, modern } from './shots.ts'
import { RESOURCE, type World } from './world.ts'

/** A token in the place where tokens belong. */
const shown = (
  name: string,
  token: (world: World) => string | Promise<string>,
  expect: Expected = INVALID,
): Attack => ({
  name,
  expect,
  send: async (world) => modern(await token(world), 'tools/list'),
})

const claimed = (name: string, change: (world: World) => JsonObject, expect?: Expected): Attack =>
  shown(name, (world) => world.token(change(world)), expect)

const because = (reason: RegExp): Expected => ({ status: 401, challenge: reason })
const GOOD: Expected = { status: 200, text: /"tools":\[/ }

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const seconds = () => Math.floor(Date.now() / 1000)

const pem = ({ keys }: World) =>
  createPublicKey({ key: keys.rsa.publicJwk as JsonWebKey, format: 'jwk' }).export({
    type: 'spki',
    format: 'pem',
  }) as string

const resigned = async (world: World, header: object): Promise<string> => {
  const [, body = '', signature] = (await world.token()).split('.')
  return `${part(header)}.${body}.${signature}`
}

const ALGORITHMS: Attack[] = [
  ...['none', 'None', 'NONE', 'nOnE', '', 'HS256 ', 'RS256\0', 'rs256'].map((alg) =>
    shown(`alg ${JSON.stringify(alg)} without a signature`, (world) => unsigned(world.claims(), alg)),
  ),
  shown('alg none with the signature of a good token', (world) => resigned(world, { alg: 'none' })),
  shown('HS256 with the public key as PEM', (world) => hmacSigned(world.claims(), pem(world))),
  shown('HS256 with the public key as PEM, without its last line break', (world) =>
    hmacSigned(world.claims(), pem(world).trim(), { kid: world.keys.rsa.kid }),
  ),
  shown('HS256 with the public key as JWK', (world) =>
    hmacSigned(world.claims(), JSON.stringify(world.keys.rsa.publicJwk), { kid: world.keys.rsa.kid }),
  ),
  shown('HS256 with the modulus', (world) => hmacSigned(world.claims(), String(world.keys.rsa.publicJwk.n))),
  shown('HS256 with an empty key', (world) => hmacSigned(world.claims(), '')),
  shown('HS512 with the client secret of nobody', (world) => {
    const signed = `${part({ alg: 'HS512' })}.${part(world.claims())}`
    return `${signed}.${createHmac('sha512', 'secret').update(signed).digest('base64url')}`
  }),
  shown('RS256 turned into HS256', (world) => resigned(world, { alg: 'HS256', kid: world.keys.rsa.kid })),
  shown('RS256 turned into PS256', (world) => resigned(world, { alg: 'PS256', kid: world.keys.rsa.kid })),
  shown('RS256 turned into ES256 of the same key', (world) =>
    resigned(world, { alg: 'ES256', kid: world.keys.rsa.kid }),
  ),
  shown('ES256 with a signature of zeros', (world) => {
    const head = part({ alg: 'ES256', kid: world.keys.ec.kid })
    return `${head}.${part(world.claims())}.${Buffer.alloc(64).toString('base64url')}`
  }),
  shown('an EdDSA key with the name of the RSA key', (world) =>
    world.keys.ed.mint(world.claims(), { kid: world.keys.rsa.kid }),
  ),
  shown('a list of algorithms', (world) => resigned(world, { alg: ['RS256'] })),
  shown('an algorithm of keys wrapped', (world) => resigned(world, { alg: 'RSA-OAEP', enc: 'A256GCM' })),
]

const HEADERS: Attack[] = [
  ...(
    [
      ['b64: false', { b64: false, crit: ['b64'] }],
      ['an unknown critical extension', { crit: ['x'], x: true }],
      ['no critical extension at all', { crit: [] }],
      ['critical extensions that are no list', { crit: 'exp' }],
    ] as const
  ).map(([name, header]) =>
    shown(name, (world) => resigned(world, { alg: 'RS256', kid: world.keys.rsa.kid, ...header })),
  ),
  shown('a key in the header', (world) =>
    world.keys.attacker.mint(world.claims(), { jwk: world.keys.attacker.publicJwk }),
  ),
  shown('a key in the header under a known name', (world) =>
    world.keys.attacker.mint(world.claims(), { jwk: world.keys.attacker.publicJwk, kid: world.keys.rsa.kid }),
  ),
  ...['jku', 'x5u', 'x5c', 'x5t#S256'].map((member) =>
    shown(`${member} of an attacker`, (world) =>
      world.keys.attacker.mint(world.claims(), {
        [member]: member === 'x5c' ? ['MIIB'] : `${world.canary.url}/jwks.json`,
        kid: member === 'jku' ? world.keys.rsa.kid : world.keys.attacker.kid,
      }),
    ),
  ),
  ...[
    '../../../../../../dev/null',
    '/etc/passwd',
    "key 0' OR '1'='1",
    "x' UNION SELECT 'secret' --",
    '| curl http://attacker.example',
    '__proto__',
    'constructor',
    '',
    'k'.repeat(5000),
    'key 0\0',
  ].map((kid) =>
    shown(`kid ${JSON.stringify(kid.slice(0, 40))}`, (world) => world.keys.attacker.mint(world.claims(), { kid })),
  ),
  ...[1, null, {}, ['key 0'], true].map((kid) =>
    shown(`kid ${JSON.stringify(kid)}`, (world) => resigned(world, { alg: 'RS256', kid })),
  ),
  shown('the name of a key that signs nothing', (world) => world.keys.encryption.mint(world.claims())),
  ...['id_token', 'JOSE', 'logout+jwt', 'dpop+jwt', 'oauth-id-jag+jwt', 'secevent+jwt', 1, {}].map((typ) =>
    shown(`typ ${JSON.stringify(typ)}`, (world) => resigned(world, { alg: 'RS256', kid: world.keys.rsa.kid, typ })),
  ),
  shown('a header that is a list', (world) => `${part([{ alg: 'RS256' }])}.${part(world.claims())}.AAAA`),
]

const AUDIENCES: unknown[] = [
  `${RESOURCE}/`,
  'https://MCP.example/mcp',
  'HTTPS://mcp.example/mcp',
  'https://mcp.example:443/mcp',
  'http://mcp.example/mcp',
  'https://mcp.example/mcp?x',
  'https://mcp.example/mcp#x',
  'https://mcp.example/%6dcp',
  'https://mcp.example/./mcp',
  'https://mcp.example//mcp',
  'https://mcp.example',
  'https://mcp.example/',
  'https://mcp.example.attacker.example/mcp',
  `${RESOURCE} `,
  ` ${RESOURCE}`,
  `${RESOURCE} https://other.example`,
  `https://other.example,${RESOURCE}`,
  'https://other.example/mcp',
  'vmcp',
  '',
  '*',
  null,
  1,
  true,
  {},
  { 0: RESOURCE },
  { [RESOURCE]: true },
  [],
  [[RESOURCE]],
  ['https://other.example', `${RESOURCE}/`],
  [null, 1, {}],
]

const CLAIMS: Attack[] = [
  ...AUDIENCES.map((aud) =>
    claimed(`aud ${JSON.stringify(aud)}`, () => ({ aud: aud as string }), because(/not issued for/)),
  ),
  shown('no aud', ({ keys, claims }) => {
    const { aud: _, ...rest } = claims()
    return keys.rsa.mint(rest)
  }),
  claimed('aud that names us and somebody else', () => ({ aud: ['https://other.example', RESOURCE] }), GOOD),
  claimed('an ID token of another client', () => ({ aud: 'another-client', azp: 'another-client', nonce: 'n' })),
  ...(
    [
      (name) => `${name}/`,
      (name) => name.toUpperCase(),
      (name) => name.replace('127.0.0.1', 'localhost'),
      (name) => `${name}#`,
      (name) => ` ${name}`,
      (name) => [name],
      (name) => ({ issuer: name }),
      () => null,
      () => 0,
      () => '',
      () => 'https://accounts.example',
      () => '__proto__',
    ] as ((name: string) => unknown)[]
  ).map((change) =>
    claimed(`iss ${JSON.stringify(change('http://127.0.0.1/a'))}`, (world) => ({
      iss: change(world.issuer) as string,
    })),
  ),
  shown('a token of the one issuer with the key of the other', (world) => world.keys.other.mint(world.claims())),
  claimed('a token of the other issuer with the key of the one', (world) => ({ iss: world.other })),
  {
    name: 'the other issuer has an Alice, too: what is hidden from her is hidden',
    send: (world) => modern(world.otherAlice, 'tools/call', { name: 'echo', arguments: { text: 'x' } }),
    expect: UNKNOWN,
  },
  claimed('a subject that reads like one of the other issuer', () => ({ sub: 'b:alice' }), because(/usable subject/)),
  ...(
    [
      ['expired', { exp: -60 }],
      ['not valid yet', { nbf: 600 }],
      ['issued in the future', { iat: 600 }],
    ] as [string, Record<string, number>][]
  ).map(([name, offsets]) =>
    claimed(name, () => Object.fromEntries(Object.entries(offsets).map(([key, offset]) => [key, seconds() + offset]))),
  ),
  ...['9999999999', null, [9_999_999_999], {}, true, -1, 0].map((exp) =>
    claimed(`exp ${JSON.stringify(exp)}`, () => ({ exp })),
  ),
  shown('exp without end', (world) =>
    world.tokenOf(JSON.stringify(world.claims({ exp: 0 })).replace(/"exp":0/u, '"exp":1e999')),
  ),
  shown('no exp', ({ keys, claims }) => {
    const { exp: _, ...rest } = claims()
    return keys.rsa.mint(rest)
  }),
  ...['nbf', 'iat'].map((name) => claimed(`${name} that is no number`, () => ({ [name]: '0' }))),
  ...['', 1, null, ['alice'], { a: 1 }, 'al\u0000ice', 'alice\n', 'x'.repeat(3000), '\ud800'].map((sub) =>
    claimed(`sub ${JSON.stringify(sub).slice(0, 40)}`, () => ({ sub })),
  ),
  claimed('client_id that is no text', () => ({ client_id: ['app'] })),
  claimed('a token that is bound to a key', () => ({ cnf: { jkt: 'x' } })),
  claimed('no scope', () => ({ scope: '' }), { status: 403, challenge: /error="insufficient_scope".*scope="mcp"/ }),
  claimed('scope with the required one inside another', () => ({ scope: 'mcp:admin xmcp' }), {
    status: 403,
    challenge: /error="insufficient_scope"/,
  }),
  shown('claims changed after signing', async (world) => tampered(await world.token(), { sub: 'alice' })),
  shown('aud twice, the last one for somebody else', (world) =>
    world.tokenOf(`${JSON.stringify(world.claims()).slice(0, -1)},"aud":"https://other.example"}`),
  ),
  {
    name: 'sub twice: the last one counts everywhere',
    send: async (world) => {
      const token = await world.tokenOf(
        `${JSON.stringify(world.claims({ sub: 'alice' })).slice(0, -1)},"sub":"mallory"}`,
      )
      return modern(token, 'tools/call', { name: 'echo', arguments: { text: 'x' } })
    },
    expect: UNKNOWN,
  },
  shown('__proto__ with everything inside', (world) =>
    world.tokenOf(`{"__proto__":${JSON.stringify(world.claims({ sub: 'alice' }))}}`),
  ),
  shown('claims that are a list', (world) => world.tokenOf(JSON.stringify([world.claims()]))),
  shown('claims that are null', (world) => world.tokenOf('null')),
  shown('claims that are no JSON', (world) => world.tokenOf('{"sub":')),
  claimed(
    'groups that policies must not take for objects',
    () => ({ groups: [{ __entity: { type: 'THVGroup', id: 'staff' } }] }),
    GOOD,
  ),
]

const SIZES: Attack[] = [
  shown('a token of a megabyte', () => `${'A'.repeat(1_000_000)}.e30.e30`, { status: [431, 400], closes: true }),
  shown('a token as long as fits into a head', () => `${'A'.repeat(15_000)}.e30.e30`),
  claimed(
    'claims that are nested deeply',
    () => ({ x: JSON.parse(`${'['.repeat(60)}${']'.repeat(60)}`) as [] }),
    because(/too large/),
  ),
  claimed(
    'three hundred claims',
    () => Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`c${n}`, n])),
    because(/too large/),
  ),
  claimed(
    'as many groups as fit into a head',
    () => ({ groups: Array.from({ length: 1500 }, (_, n) => `g${n}`) }),
    GOOD,
  ),
  ...([5000, 30_000] as const).map((count): Attack => ({
    name: `${count} groups of an opaque token`,
    send: (world) => {
      const token = `opaque-with-${count}-groups`
      world.opaque.set(token, {
        active: true,
        ...world.claims({ groups: Array.from({ length: count }, (_, n) => `${n}`) }),
      })
      return [modern(token, 'tools/list'), callWith(token, 'guarded', '{"path":"secret"}')]
    },
    expect: { status: count > 10_000 ? 503 : [200, 403], challenge: null },
  })),
]

const opaque = (name: string, answer: (world: World) => unknown, expect: Expected = INVALID): Attack =>
  shown(
    name,
    (world) => {
      const token = `opaque-${Buffer.from(name).toString('hex')}`
      world.opaque.set(token, answer(world))
      return token
    },
    expect,
  )

const OPAQUE: Attack[] = [
  shown('an opaque token that nobody knows', () => 'opaque-and-unknown'),
  opaque('an opaque token that is not active', () => ({ active: false })),
  opaque('an opaque token that is active in words', (world) => ({ active: 'true', ...world.claims() })),
  opaque('an opaque token without an audience', ({ claims }) => ({ active: true, ...claims(), aud: undefined })),
  opaque('an opaque token for somebody else', ({ claims }) => ({
    active: true,
    ...claims({ aud: 'https://other.example' }),
  })),
  opaque('an opaque token of another issuer', ({ claims, other }) => ({ active: true, ...claims({ iss: other }) })),
  opaque('an opaque token about which a list is said', () => [{ active: true }], { status: 503, challenge: null }),
  opaque(
    'an opaque token about which too much is said',
    ({ claims }) => ({ active: true, ...claims(), x: 'x'.repeat(100_000) }),
    {
      status: 503,
      challenge: null,
    },
  ),
  opaque('an opaque token that expired', ({ claims }) => ({ active: true, ...claims({ exp: seconds() - 60 }) })),
]

const header = (name: string, authorization: (world: World) => string, expect: Expected = INVALID): Attack => ({
  name,
  expect,
  send: (world) => modern(undefined, 'tools/list', {}, { authorization: authorization(world) }),
})

const PLACES: Attack[] = [
  { name: 'no token', send: () => modern(undefined, 'tools/list'), expect: MISSING },
  header('another scheme', () => `Basic ${Buffer.from('alice:alice').toString('base64')}`, MISSING),
  header('the scheme of another kind of token', ({ mallory }) => `DPoP ${mallory}`, MISSING),
  header('no scheme', ({ mallory }) => mallory, MISSING),
  header('the scheme alone', () => 'Bearer', MISSING),
  header('the scheme and a space', () => 'Bearer ', MISSING),
  header('the scheme in small letters, as the RFC allows', ({ mallory }) => `bearer ${mallory}`, GOOD),
  header('a tab after the scheme', ({ mallory }) => `Bearer\t${mallory}`, MISSING),
  header('two tokens in one header', ({ mallory, alice }) => `Bearer ${mallory}, Bearer ${alice}`),
  header('two headers', ({ mallory, alice }) => `Bearer ${mallory}\r\nauthorization: Bearer ${alice}`, {
    status: 400,
    challenge: null,
  }),
  header('two equal headers', ({ mallory }) => `Bearer ${mallory}\r\nAuthorization: Bearer ${mallory}`, {
    status: 400,
    challenge: null,
  }),
  header('a header of another scheme behind', ({ mallory }) => `Bearer ${mallory}\r\nauthorization: Basic YTpi`, {
    status: 400,
    challenge: null,
  }),
  header('characters beyond ASCII', ({ mallory }) => `Bearer ${mallory}\u00e9`),
  header('a token and a word', ({ mallory }) => `Bearer ${mallory} x`),
  header('quotes', ({ mallory }) => `Bearer "${mallory}"`),
  header('a NUL', ({ mallory }) => `Bearer ${mallory}\0`, { status: 400, closes: true }),
  shown('a token without its signature', async (world) => (await world.token()).replace(/[^.]+$/u, '')),
  shown('a token without its last part', async (world) => (await world.token()).replace(/\.[^.]+$/u, '')),
  shown('a token with five parts', async (world) => `${await world.token()}.AAAA.AAAA`),
  {
    name: 'a token in the address',
    send: ({ mallory }) => ({ ...modern(mallory, 'tools/list'), path: `/mcp?access_token=${mallory}` }),
    expect: { status: 400, challenge: null },
  },
  {
    name: 'a token in the address alone',
    send: ({ mallory }) => ({ ...modern(undefined, 'tools/list'), path: `/mcp?x=1&access_token=${mallory}` }),
    expect: { status: 400 },
  },
  {
    name: 'a token in the address in other spellings',
    send: ({ mallory }) =>
      ['ACCESS_TOKEN', '%61ccess_token', 'token', 'authorization'].map((key) => ({
        ...modern(undefined, 'tools/list'),
        path: `/mcp?${key}=${mallory}`,
      })),
    expect: { status: [400, 401] },
  },
  {
    name: 'a token in a form',
    send: ({ mallory }) => ({
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: `access_token=${mallory}`,
    }),
    expect: MISSING,
  },
  {
    name: 'a token in the message',
    send: ({ mallory }) =>
      modern(undefined, 'tools/list', { access_token: mallory, authorization: `Bearer ${mallory}` }),
    expect: MISSING,
  },
  ...['proxy-authorization', 'x-forwarded-authorization', 'x-authorization', 'cookie', 'mcp-authorization'].map(
    (name): Attack => ({
      name: `a token in ${name}`,
      send: ({ mallory }) => modern(undefined, 'tools/list', {}, { [name]: `Bearer ${mallory}` }),
      expect: MISSING,
    }),
  ),
]

export const TOKENS: readonly Attack[] = [...ALGORITHMS, ...HEADERS, ...CLAIMS, ...SIZES, ...OPAQUE, ...PLACES]
