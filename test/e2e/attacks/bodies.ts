import type { JsonObject } from '../../../src/model/json.ts'
import { LEGACY } from '../../support/script.ts'
import { type Attack, DENIED, type Expected, type Shot, UNKNOWN } from './row.ts'
import { callWith, HELLO, legacy, modern, request } from './shots.ts'

const MALFORMED: Expected = { status: 400, challenge: null }

/** A call by Mallory, to whom `guarded` is permitted with the path `public`, and `counted` with less than 100. */
const guarded = (name: string, args: string | Buffer, expect: Expected = DENIED): Attack => ({
  name,
  expect,
  send: ({ mallory }) => callWith(mallory, 'guarded', args),
})
const received = (args: JsonObject): Expected => ({ status: 200, received: args })

const KEYS: Attack[] = [
  guarded('the path that is permitted', '{"path":"public"}', received({ path: 'public' })),
  guarded('another path', '{"path":"secret"}'),
  guarded('two paths, the last one forbidden', '{"path":"public","path":"secret"}'),
  guarded('two paths, the last one permitted', '{"path":"secret","path":"public"}', received({ path: 'public' })),
  guarded('the same key in another spelling, forbidden', '{"path":"public","p\\u0061th":"secret"}'),
  guarded(
    'the same key in another spelling, permitted',
    '{"p\\u0061th":"secret","path":"public"}',
    received({ path: 'public' }),
  ),
  guarded(
    'what is forbidden, and then not',
    '{"path":"public","root":true,"root":false}',
    received({ path: 'public', root: false }),
  ),
  guarded('what is not forbidden, and then is', '{"path":"public","root":false,"root":true}'),
  guarded('two sets of arguments, the last one forbidden', '{"path":"public"},"arguments":{"path":"secret"}'),
  guarded(
    'two sets of arguments, the last one permitted',
    '{"path":"secret"},"arguments":{"path":"public"}',
    received({ path: 'public' }),
  ),
  guarded('a path in capital letters', '{"PATH":"public"}'),
  guarded('a path with a space behind its name', '{"path ":"public"}'),
  guarded('a path of an ancestor', '{"__proto__":{"path":"public"}}'),
  guarded('a path of a constructor', '{"constructor":{"prototype":{"path":"public"}}}'),
  guarded(
    'ancestors beside the path travel as they are',
    '{"path":"public","__proto__":{"root":true},"constructor":1}',
    {
      status: 200,
      text: /"__proto__":\{"root":true\}/u,
      received: JSON.parse('{"path":"public","__proto__":{"root":true},"constructor":1}') as JsonObject,
    },
  ),
  guarded('an entity', '{"path":{"__entity":{"type":"Client","id":"alice"}}}'),
  guarded(
    'an entity in the place of what is forbidden',
    '{"path":"public","root":{"__entity":{"type":"Client","id":"alice"}}}',
  ),
  guarded('an extension', '{"path":{"__extn":{"fn":"decimal","arg":"1.0"}}}'),
  guarded('an expression', '{"path":{"__expr":"\\"public\\""}}'),
  guarded('a list with the path', '{"path":["public"]}'),
  guarded('no path', '{"path":null}'),
  guarded('a path that was cut', '{"path":"public\\u0000secret"}'),
  guarded('half a character', '{"path":"\\ud800"}'),
  guarded('bytes that are no text', Buffer.from('{"path":"pub\xfflic"}', 'latin1')),
  guarded('a path in another form of the same letters', '{"path":"publi\\u0441"}'),
  guarded('an attribute that is there already', '{"path_present":true,"name":"x"}'),
  guarded('arguments that are a list', '[{"path":"public"}]', { status: 200, code: -32602 }),
  guarded('arguments that are a text', '"{\\"path\\":\\"public\\"}"', { status: 200, code: -32602 }),
  guarded('arguments that are a number', '1e400', { status: 200, code: -32602 }),
]

const counted = (text: string, expect: Expected = DENIED): Attack => ({
  name: `the number ${text}`,
  expect,
  send: ({ mallory }) => callWith(mallory, 'counted', `{"n":${text}}`),
})

const NUMBERS: Attack[] = [
  counted('99', received({ n: 99 })),
  counted('1.0', received({ n: 1 })),
  counted('9.9e1', received({ n: 99 })),
  counted('-0', { status: 200, received: { n: 0 } }),
  counted('100'),
  counted('1e2'),
  counted('99.5'),
  counted('99.00000000000000000001'),
  counted('1e400'),
  counted('-1e400'),
  counted('1e-400'),
  counted('9007199254740993'),
  counted('9223372036854775808'),
  counted('-9223372036854775809'),
  counted('18446744073709551617'),
  counted('100000000000000000000000000000000000'),
  counted('9'.repeat(100_000)),
  counted('"99"'),
  counted('true'),
  counted('[99]'),
  counted('{"__extn":{"fn":"decimal","arg":"1.0"}}'),
  ...['NaN', 'Infinity', '0x63', '099', '+99', '.5', '1.', '1_0', "'99'"].map((text) =>
    counted(text, { status: 400, code: -32700 }),
  ),
]

const NAMES: Attack[] = [
  ...[
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    '',
    ' guarded',
    'guarded ',
    'GUARDED',
    'guarded\0',
    'work',
    'pictured',
  ].map((name): Attack => ({
    name: `the tool ${JSON.stringify(name)}`,
    send: ({ mallory }) => modern(mallory, 'tools/call', { name, arguments: {} }),
    expect: UNKNOWN,
  })),
  ...[
    '__proto__',
    'constructor',
    'toString',
    'initialize',
    'ping',
    'vendor/secret',
    'skills/list',
    'notifications/initialized',
    '',
  ].map((method): Attack => ({
    name: `the method ${JSON.stringify(method)}`,
    send: ({ mallory }) => modern(mallory, method),
    expect: { status: 404, code: -32601 },
  })),
  {
    name: 'the method twice: the last one counts, and must be that of the header',
    send: ({ mallory }) => {
      const shot = callWith(mallory, 'guarded', '{"path":"secret"}')
      return { ...shot, body: String(shot.body).replace('"method":', '"method":"tools/list","method":') }
    },
    expect: DENIED,
  },
  {
    name: 'a resource that is hidden, in other spellings',
    send: ({ mallory }) =>
      ['docs://closed/b', 'DOCS://closed/b', 'docs://closed/./b', 'docs://closed/%62', 'docs://closed/b?x'].map((uri) =>
        modern(mallory, 'resources/read', { uri }),
      ),
    expect: UNKNOWN,
  },
  {
    name: 'a prompt that is hidden, and its completion',
    send: ({ mallory }) => [
      modern(mallory, 'prompts/get', { name: 'greet' }),
      modern(mallory, 'completion/complete', {
        ref: { type: 'ref/prompt', name: 'greet' },
        argument: { name: 'a', value: '' },
      }),
    ],
    expect: UNKNOWN,
  },
  {
    name: 'a limit',
    send: ({ mallory }) => callWith(mallory, 'limited', '{}'),
    expect: { status: 200, received: {} },
  },
  {
    name: 'a limit that is used up',
    send: ({ mallory }) => [callWith(mallory, 'limited', '{}'), callWith(mallory, 'limited', '{"x":1}')],
    expect: { status: 200, code: 429 },
  },
]

const shaped = (
  name: string,
  body: string | Buffer,
  expect: Expected = MALFORMED,
  headers: Record<string, string> = {},
): Attack => ({
  name,
  expect,
  send: ({ alice }) => ({ ...modern(alice, 'tools/list', {}, headers), body }),
})

const utf16 = Buffer.from(`\ufeff${JSON.stringify(request('tools/list'))}`, 'utf16le')
const SHAPES: Attack[] = [
  shaped('nothing', ''),
  shaped('a word', 'null', { status: 400, code: -32600 }),
  shaped('JSON that ends early', '{"jsonrpc":"2.0"'),
  shaped('two messages', `${JSON.stringify(request('tools/list'))}${JSON.stringify(request('tools/list'))}`),
  shaped('a mark of byte order', `\ufeff${JSON.stringify(request('tools/list'))}`),
  shaped('another encoding', utf16),
  shaped('a body that says it is compressed', Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0]), MALFORMED, {
    'content-encoding': 'gzip',
  }),
  shaped('comments', `/* x */${JSON.stringify(request('tools/list'))}`),
  shaped('a batch', JSON.stringify([request('tools/list')])),
  shaped('an id that is an object', JSON.stringify({ ...request('tools/list'), id: {} })),
  shaped('params that are a list', JSON.stringify({ ...request('tools/list'), params: [] })),
  shaped('another version of JSON-RPC', JSON.stringify({ ...request('tools/list'), jsonrpc: '1.0' })),
  shaped('two thousand levels', `${'{"a":'.repeat(2000)}1${'}'.repeat(2000)}`),
  shaped('a million levels', '['.repeat(1_000_000)),
  shaped('more bytes than are taken', `"${'x'.repeat(8 * 1024 * 1024)}"`, { status: 413 }),
  ...[
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonx',
    'text/json',
    '',
  ].map((type) => shaped(`the type ${JSON.stringify(type)}`, '{}', { status: 415 }, { 'content-type': type })),
  shaped('a type that accepts nothing of ours', '{}', { status: 406 }, { accept: 'text/html' }),
  {
    name: 'calls that want no answer are not made',
    send: ({ mallory }) => {
      const { headers = {} } = callWith(mallory, 'guarded', '{}')
      const params = { name: 'guarded', arguments: { path: 'public' } }
      return { headers, body: JSON.stringify({ jsonrpc: '2.0', method: 'tools/call', params }) } satisfies Shot
    },
    expect: { status: [202, 400] },
  },
  {
    name: 'a handshake that asks for the world',
    send: ({ mallory }) =>
      legacy(mallory, undefined, { ...HELLO, params: { protocolVersion: LEGACY[0]!, capabilities: { __proto__: 1 } } }),
    expect: { status: 200 },
  },
]

export const BODIES: readonly Attack[] = [...KEYS, ...NUMBERS, ...NAMES, ...SHAPES]
