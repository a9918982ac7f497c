import type { JsonObject } from '../../../src/model/json.ts'
import { Sealer } from '../../../src/protocol/sealed.ts'
import { type Attack, type Expected, type Shot, UNKNOWN } from './row.ts'
import { modern } from './shots.ts'
import type { World } from './world.ts'

/** The same with one byte of it flipped: each in turn. */
function flipped(token: string): string[] {
  const bytes = Buffer.from(token, 'base64url')
  return [...bytes.keys()].map((at) => {
    const copy = Buffer.from(bytes)
    copy[at] = (copy[at] ?? 0) ^ 1
    return copy.toString('base64url')
  })
}

const INVALID_PARAMS: Expected = { status: 200, code: -32602 }
const MADE_UP = (value: JsonObject) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Something that the gateway gave to Alice, and how it is handed in again. */
interface Thing {
  name: string
  of: (world: World) => string
  use: (token: string, thing: string, world: World) => Shot
  expect: Expected
  forged: JsonObject
}

const THINGS: Thing[] = [
  {
    name: 'a cursor',
    of: ({ cursor }) => cursor,
    use: (token, cursor) => modern(token, 'tools/list', { cursor }),
    expect: INVALID_PARAMS,
    forged: { after: [], index: 0 },
  },
  ...['tasks/get', 'tasks/cancel', 'tasks/update'].map((method): Thing => ({
    name: `a task (${method})`,
    of: ({ task }) => task,
    use: (token, taskId) => modern(token, method, { taskId, inputResponses: {} }),
    expect: UNKNOWN,
    forged: { b: 'jobs', i: 'native-task' },
  })),
  {
    name: 'the state of a call',
    of: ({ parked }) => parked.requestState,
    use: (token, requestState, { parked }) =>
      modern(token, 'tools/call', {
        ...parked.params,
        requestState,
        inputResponses: { x: { action: 'accept', content: { name: 'Eve' } } },
      }),
    expect: INVALID_PARAMS,
    forged: { id: 'x', round: 1 },
  },
]

const tries = THINGS.flatMap(({ name, of, use, expect, forged }): Attack[] => [
  {
    name: `${name} of Alice with every byte of it flipped in turn`,
    send: (world) => flipped(of(world)).map((thing) => use(world.alice, thing, world)),
    expect,
  },
  {
    name: `${name} of Alice, shortened, lengthened, decorated`,
    send: (world) => {
      const thing = of(world)
      const others = [
        thing.slice(0, -4),
        `${thing}AAAA`,
        `${thing}=`,
        ` ${thing}`,
        thing.toLowerCase(),
        `${thing}.${thing}`,
      ]
      return others.map((other) => use(world.alice, other, world))
    },
    expect,
  },
  {
    name: `${name} that was made up`,
    send: (world) => {
      const foreign = new Sealer().seal(forged, 'task anonymous')
      return [MADE_UP(forged), foreign, 'native-task', '', 'null', '__proto__', 'A'.repeat(9000)].map((thing) =>
        use(world.alice, thing, world),
      )
    },
    expect,
  },
  {
    name: `${name} of Alice by others`,
    send: (world) => [world.otherAlice, world.aliceElsewhere].map((token) => use(token, of(world), world)),
    expect,
  },
  {
    name: `something else in the place of ${name}`,
    send: (world) =>
      [world.cursor, world.task, world.parked.requestState]
        .filter((thing) => thing !== of(world))
        .map((thing) => use(world.alice, thing, world)),
    expect,
  },
])

const OTHERS: Attack[] = [
  {
    name: 'a cursor of tools among prompts and resources',
    send: ({ alice, cursor }) =>
      ['prompts/list', 'resources/list', 'resources/templates/list'].map((method) => modern(alice, method, { cursor })),
    expect: INVALID_PARAMS,
  },
  {
    name: 'a cursor that is no text',
    send: ({ alice }) => [0, null, {}, [], true].map((cursor) => modern(alice, 'tools/list', { cursor })),
    expect: INVALID_PARAMS,
  },
  {
    name: 'the state of a call with other arguments',
    send: ({ alice, parked }) =>
      modern(alice, 'tools/call', {
        ...parked.params,
        arguments: { key: 'other', ask: true },
        requestState: parked.requestState,
      }),
    expect: INVALID_PARAMS,
  },
  {
    name: 'the state of a call with another tool',
    send: ({ alice, parked }) =>
      modern(alice, 'tools/call', { name: 'echo', arguments: { text: 'x' }, requestState: parked.requestState }),
    // A modern backend has states of its own, which are not ours to judge.
    expect: { status: 200, received: { text: 'x' } },
  },
]

export const SEALED: readonly Attack[] = [...tries, ...OTHERS]
