import type { JsonObject } from '../../../src/model/json.ts'
import { type Attack, DENIED, type Expected } from './row.ts'
import { callWith, legacy, modern, request } from './shots.ts'
import { HOSTILE_TOOLS } from './hostile.ts'

/** What is cheap to send and must not be dear to answer. */
const REACHES = (args: JsonObject): Expected => ({ status: 200, received: args })

const TOOLS: Attack[] = HOSTILE_TOOLS.map(({ name }) => ({
  name: `a call of the tool ${name as string}`,
  send: ({ alice }) =>
    modern(alice, 'tools/call', { name: name as string, arguments: { text: `${'a'.repeat(50_000)}!` } }),
  expect: REACHES({ text: `${'a'.repeat(50_000)}!` }),
}))

const URIS: Attack[] = [
  {
    name: 'a long address that fits many templates almost',
    send: ({ mallory }) => modern(mallory, 'resources/read', { uri: `many://${'a'.repeat(7600)}!` }),
    expect: { status: 200, received: 'anything' },
  },
]

/** Names that are longer than any header, as only the legacy doors take them. */
const NAMES: Attack[] = (
  [
    ['resources/read', { uri: `many://${'a'.repeat(7_000_000)}` }],
    ['resources/read', { uri: `docs://${'%61'.repeat(2_000_000)}` }],
    ['resources/read', { uri: 'a'.repeat(7_000_000) }],
    ['resources/subscribe', { uri: `many://${'a'.repeat(7_000_000)}` }],
    ['tools/call', { name: 'a'.repeat(7_000_000), arguments: {} }],
    ['prompts/get', { name: '\u0000'.repeat(1_000_000) }],
    [
      'completion/complete',
      { ref: { type: 'ref/resource', uri: `many://${'a'.repeat(7_000_000)}` }, argument: { name: 'a', value: 'b' } },
    ],
    ['tasks/get', { taskId: 'a'.repeat(7_000_000) }],
    ['logging/setLevel', { level: 'a'.repeat(7_000_000) }],
    ['a'.repeat(7_000_000), {}],
  ] as [string, JsonObject][]
).map(([method, params]) => ({
  name: `${method.slice(0, 20)} of ${JSON.stringify(params).slice(0, 20)} and seven million more`,
  send: ({ mallory, own }) => legacy(mallory, own, request(method, params)),
  expect: { status: 200, text: /"error"/u, received: 'anything' },
}))

const long = (name: string, text: string, expect: Expected = DENIED): Attack => ({
  name,
  expect,
  send: ({ mallory }) => callWith(mallory, 'starry', JSON.stringify({ text })),
})

const STARS: Attack[] = [
  long('what a pattern with many stars matches', `${'a'.repeat(40)}b`, REACHES({ text: `${'a'.repeat(40)}b` })),
  long('a text that a pattern with many stars almost matches', 'a'.repeat(10_000)),
  long('a long text that a pattern with many stars almost matches', 'a'.repeat(1_000_000)),
  long('the longest text that a pattern with many stars almost matches', 'ab'.repeat(3_900_000).concat('a')),
]

const many = (count: number, one: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => one(index)).join(',')
const bulk = (name: string, args: () => string): Attack => ({
  name,
  send: ({ mallory }) => callWith(mallory, 'guarded', args()),
  expect: DENIED,
})

const BULK: Attack[] = [
  bulk('fifty thousand arguments', () => `{${many(50_000, (index) => `"a${index}":1`)}}`),
  bulk('a million numbers', () => `{"a":[${many(1_000_000, () => '1')}]}`),
  bulk('a million numbers that look inexact', () => `{"a":[${many(800_000, () => '1e1')}]}`),
  bulk('a number of a million digits', () => `{"path":${'9'.repeat(1_000_000)}}`),
  bulk('nine hundred levels inside', () => `{"path":${'['.repeat(900)}${']'.repeat(900)}}`),
  bulk('a name of an argument that is a million characters long', () => `{"${'a'.repeat(1_000_000)}":1}`),
]

const BATCHES: Attack[] = (
  [
    ['a million numbers', () => `[${many(1_000_000, () => '1')}]`],
    ['half a million empty lists', () => `[${many(500_000, () => '[]')}]`],
    [
      'a hundred thousand pings',
      () => `[${many(100_000, (index) => `{"jsonrpc":"2.0","id":${index},"method":"ping"}`)}]`,
    ],
  ] as const
).map(([name, body]) => ({
  name: `a batch of ${name}`,
  send: ({ mallory, own }) => ({ ...legacy(mallory, own, {}), body: body() }),
  expect: { status: [200, 400] },
}))

export const COMPLEXITY: readonly Attack[] = [...TOOLS, ...URIS, ...NAMES, ...STARS, ...BULK, ...BATCHES]
