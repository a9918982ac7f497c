import { type Attack, type Expected, MISSING, NO_SESSION, type Shot } from './row.ts'
import { bearer, HELLO, legacy, modern, request } from './shots.ts'
import type { World } from './world.ts'

/** Those who come to Alice's things. */
const THIEVES: [string, (world: World) => string][] = [
  ['somebody else', (world) => world.mallory],
  ['Alice of the other issuer', (world) => world.otherAlice],
  ['Alice with another client', (world) => world.aliceElsewhere],
]

const NOWHERE = '00000000-0000-4000-8000-000000000000'
const stream = (token: string | undefined, session: string, more: Record<string, string> = {}): Shot => ({
  ...legacy(
    token,
    session,
    {},
    { accept: 'text/event-stream', 'content-type': undefined, 'content-length': undefined, ...more },
  ),
  method: 'GET',
  body: '',
})
const ending = (token: string | undefined, session: string): Shot => ({
  ...stream(token, session),
  method: 'DELETE',
})
const message = (token: string | undefined, id: string, body: unknown): Shot => ({
  path: `/messages?sessionId=${id}`,
  headers: bearer(token),
  body: JSON.stringify(body),
})

/** What can be tried in a session at either door. */
const TRIES: [string, (token: string | undefined, session: string, stream: string) => Shot][] = [
  ['a list', (token, id) => legacy(token, id, request('tools/list'))],
  ['a call', (token, id) => legacy(token, id, request('tools/call', { name: 'echo', arguments: { text: 'x' } }))],
  [
    'a notification',
    (token, id) => legacy(token, id, { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } }),
  ],
  ['an answer', (token, id) => legacy(token, id, { jsonrpc: '2.0', id: 1, result: {} })],
  ['a batch', (token, id) => legacy(token, id, [request('tools/list')])],
  ['its stream', (token, id) => stream(token, id)],
  ['its stream from an event on', (token, id) => stream(token, id, { 'last-event-id': '1' })],
  ['its end', (token, id) => ending(token, id)],
  ['a message at the second door', (token, _id, sse) => message(token, sse, request('tools/list'))],
  ['a handshake at the second door', (token, _id, sse) => message(token, sse, HELLO)],
  ['an answer at the second door', (token, _id, sse) => message(token, sse, { jsonrpc: '2.0', id: 1, result: {} })],
]

const stolen = TRIES.flatMap(([what, shot]) =>
  THIEVES.map(([who, token]): Attack => ({
    name: `${what} in Alice's session by ${who}`,
    send: (world) => shot(token(world), world.session, world.stream),
    expect: { ...NO_SESSION, like: (world) => shot(token(world), NOWHERE, NOWHERE) },
  })),
)

const unproven = TRIES.map(([what, shot]): Attack => ({
  name: `${what} in Alice's session without a token`,
  send: (world) => shot(undefined, world.session, world.stream),
  expect: MISSING,
}))

const named = (name: string, session: (world: World) => string, expect: Expected = NO_SESSION): Attack => ({
  name,
  expect,
  send: (world) => legacy(world.alice, session(world), request('tools/list')),
})

const GAMES: Attack[] = [
  named('an empty session', () => ''),
  named('a list of sessions', ({ session }) => `${session}, ${session}`),
  named('two headers of sessions', ({ session }) => `${NOWHERE}\r\nmcp-session-id: ${session}`),
  named('a session in capital letters', ({ session }) => session.toUpperCase()),
  named('a path', ({ session }) => `../${session}`),
  named('a pattern', () => '*'),
  named('a name of objects', () => '__proto__'),
  named('a very long session', () => 'a'.repeat(8000)),
  named('the session of the second door', ({ stream: id }) => id),
  {
    name: 'the session of the first door at the second',
    send: ({ alice, session }) => message(alice, session, request('tools/list')),
    expect: NO_SESSION,
  },
  {
    name: 'two sessions at the second door: the first one counts',
    send: ({ mallory, stream: id }) => ({
      path: `/messages?sessionId=${NOWHERE}&sessionId=${id}`,
      headers: bearer(mallory),
      body: JSON.stringify(request('tools/list')),
    }),
    expect: NO_SESSION,
  },
  {
    name: 'no session at the second door',
    send: ({ mallory }) => ({ path: '/messages', headers: bearer(mallory), body: '{}' }),
    expect: { status: 400 },
  },
  {
    name: 'no session at the first door',
    send: ({ mallory }) => legacy(mallory, undefined, request('tools/list')),
    expect: { status: 400 },
  },
  {
    name: "Alice's session in a modern request means nothing",
    send: ({ mallory, session }) =>
      modern(mallory, 'tools/call', { name: 'echo', arguments: { text: 'x' } }, { 'mcp-session-id': session }),
    expect: { status: 200, code: -32602 },
  },
  {
    name: 'a handshake with a session of its own choice',
    send: ({ mallory }) => legacy(mallory, NOWHERE, HELLO),
    expect: { status: 200, text: /"protocolVersion"/ },
  },
  {
    name: 'the session that a handshake chose does not exist',
    send: ({ mallory }) => legacy(mallory, NOWHERE, request('tools/list')),
    expect: NO_SESSION,
  },
]

export const SESSIONS: readonly Attack[] = [...stolen, ...unproven, ...GAMES]
