import type { Era } from '../../src/model/backend.ts'
import { isObject, type JsonObject } from '../../src/model/json.ts'
import { connectHttp, connectStdio, type ClientKind, type Client as AnyClient, type Peer } from '../support/clients.ts'
import { answerTo, offerOf, prefixed, unprefixed, type Offer, type Probe } from '../support/offer.ts'
import { OFFLINE, pathOf, type FleetServer } from './servers.ts'

/** The same client asks the server and the gateway, so that both hear the same revision and capabilities. */
const CLIENTS = { legacy: 'SDK v2, legacy', modern: 'SDK v2, modern' } as const satisfies Record<Era, ClientKind>

export const ERAS = ['legacy', 'modern'] as const

/** Makes a client declare capabilities, and answer when it is asked. */
export type Prepare = (client: AnyClient) => void

/** How a server is started, by the gateway and directly. */
export function launchOf({ package: name, script, args = [], env = {} }: FleetServer, folder: string) {
  return { args: [pathOf(`${name}/${script}`), ...args], env: { ...OFFLINE, ...env, HOME: folder }, cwd: folder }
}

export function connectDirectly(era: Era, server: FleetServer, folder: string, prepare?: Prepare): Promise<Peer> {
  const { args, ...place } = launchOf(server, folder)
  return connectStdio(CLIENTS[era], args, prepare, place)
}

export const connectThrough = (era: Era, url: string, prepare?: Prepare): Promise<Peer> =>
  connectHttp(CLIENTS[era], url, prepare)

/** What a server says to one client: all its lists, and the answers to the probes in their order. */
export interface Said {
  offer: Offer
  answers: { probe: Probe; answer: JsonObject }[]
}

/** Asks over a new connection, which it closes; through a gateway the server's names carry a prefix. */
export async function listen(
  connecting: Promise<Peer>,
  { moving }: Pick<FleetServer, 'moving'>,
  probes: readonly Probe[],
  prefix = '',
): Promise<Said> {
  const peer = await connecting
  try {
    // A server may declare lists that it does not have; the gateway must not.
    const { tools, prompts, ...rest } = await offerOf(peer, prefix === '')
    const offer = { ...rest, tools: unprefixed(prefix, tools), prompts: unprefixed(prefix, prompts) }
    for (const list of Object.values(offer)) for (const [id, entry] of list) list.set(id, still(entry, moving))
    const answers: Said['answers'] = []
    for (const probe of probes) {
      answers.push({ probe, answer: still(await answerTo(peer, prefixed(prefix, probe)), moving) })
    }
    return { offer, answers }
  } finally {
    await peer.close()
  }
}

/** An answer or an entry without what is different every time. */
export function still(said: JsonObject, moving: RegExp | undefined): JsonObject {
  return moving ? (JSON.parse(JSON.stringify(said).replaceAll(moving, '0')) as JsonObject) : said
}

/** What a server said to a legacy client, as a modern one must see it: core tasks are of 2025-11-25 only. */
export function withoutCoreTasks({ offer, answers }: Said): Said {
  const tools = new Map([...offer.tools].map(([name, tool]) => [name, { ...tool }]))
  for (const tool of tools.values()) delete tool['execution']
  return { offer: { ...offer, tools }, answers }
}

/** Declares all that servers turn to a client for; every answer is a fixed one. */
export function declareAll(client: AnyClient): void {
  const able = client as Peer['client']
  able.registerCapabilities({ sampling: {}, elicitation: { form: {}, url: {} }, roots: {} })
  able.setRequestHandler('sampling/createMessage', ({ params }) => ({
    model: 'fixed',
    role: 'assistant',
    content: { type: 'text', text: `sampled: ${JSON.stringify(params.messages)}` },
  }))
  able.setRequestHandler('elicitation/create', ({ params }) =>
    'requestedSchema' in params && isObject(params.requestedSchema.properties)
      ? { action: 'accept', content: { name: Object.keys(params.requestedSchema.properties).join(' ') } }
      : { action: 'decline' },
  )
  able.setRequestHandler('roots/list', () => ({ roots: [{ uri: 'file:///project', name: 'project' }] }))
}
