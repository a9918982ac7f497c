import { Client as Sdk2, StreamableHTTPClientTransport as Sdk2Http } from '@modelcontextprotocol/client'
import { StdioClientTransport as Sdk2Stdio } from '@modelcontextprotocol/client/stdio'
import { Client as Sdk1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport as Sdk1Stdio } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport as Sdk1Http } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import {
  PromptListChangedNotificationSchema,
  ResourceListChangedNotificationSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js'

import type { Era } from '../../src/model/backend.ts'
import { isObject, type JsonObject } from '../../src/model/json.ts'
import { MODERN } from './script.ts'

const INFO = { name: 'test', version: '1' }

/** The official clients, by what they are and speak. */
const CLIENTS = {
  'SDK v1, legacy': { era: 'legacy', make: () => new Sdk1(INFO) },
  'SDK v2, legacy': { era: 'legacy', make: () => new Sdk2(INFO) },
  'SDK v2, modern': {
    era: 'modern',
    make: () => new Sdk2(INFO, { versionNegotiation: { mode: { pin: MODERN } } }),
  },
  'SDK v2, auto': { era: 'modern', make: () => new Sdk2(INFO, { versionNegotiation: { mode: 'auto' } }) },
} as const satisfies Record<string, { era: Era; make: () => Sdk1 | Sdk2 }>

export type ClientKind = keyof typeof CLIENTS

interface CallOptions {
  signal?: AbortSignal
  timeout?: number
  onprogress?: (progress: { progress: number; total?: number | undefined; message?: string | undefined }) => void
}

/** A connected client, whichever SDK it comes from. */
export interface Peer {
  era: Era
  /** Typed as SDK v2: the calls that tests make are the same in both. */
  client: Sdk2
  /** Every message that arrived after the handshake, as parsed from the wire. */
  received: JsonObject[]
  /** Process id of the server; 0 over HTTP. */
  pid: number
  /** Options are the third argument in SDK v1 and the second in v2. */
  call(params: { name: string; arguments?: JsonObject; _meta?: JsonObject }, options?: CallOptions): Promise<unknown>
  /** What the server wrote as result of the request that `run` makes, with every field. */
  raw(run: (client: Sdk2) => Promise<unknown>): Promise<JsonObject>
  /** The same for a method of the SDK that makes several requests. */
  raws(run: (client: Sdk2) => Promise<unknown>): Promise<JsonObject[]>
  /** Tells a legacy server that the session is over. */
  terminate(): Promise<void>
  close(): Promise<void>
}

export async function connectHttp(kind: ClientKind, url: string, prepare?: (client: Client) => void): Promise<Peer> {
  const client = CLIENTS[kind].make()
  prepare?.(client)
  if (client instanceof Sdk1) {
    const transport = new Sdk1Http(new URL(url))
    await client.connect(transport)
    return peerOf(kind, client, transport, 0, () => transport.terminateSession())
  }
  const transport = new Sdk2Http(new URL(url))
  await client.connect(transport)
  return peerOf(kind, client, transport, 0, () => transport.terminateSession())
}

export async function connectStdio(
  kind: ClientKind,
  args: readonly string[],
  prepare?: (client: Client) => void,
  place: { env?: Record<string, string>; cwd?: string } = {},
): Promise<Peer> {
  const client = CLIENTS[kind].make()
  prepare?.(client)
  const server = { command: process.execPath, args: [...args], stderr: 'ignore' as const, ...place }
  const transport = client instanceof Sdk1 ? new Sdk1Stdio(server) : new Sdk2Stdio(server)
  await (client as Sdk2).connect(transport)
  return peerOf(kind, client, transport, transport.pid ?? 0, async () => {})
}

export type Client = Sdk1 | Sdk2

/** Hands the name of every list that changed to the listener. */
export function onListChanged(client: Client, listener: (list: 'tools' | 'prompts' | 'resources') => void): void {
  if (client instanceof Sdk1) {
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => listener('tools'))
    client.setNotificationHandler(PromptListChangedNotificationSchema, () => listener('prompts'))
    client.setNotificationHandler(ResourceListChangedNotificationSchema, () => listener('resources'))
  } else {
    client.setNotificationHandler('notifications/tools/list_changed', () => listener('tools'))
    client.setNotificationHandler('notifications/prompts/list_changed', () => listener('prompts'))
    client.setNotificationHandler('notifications/resources/list_changed', () => listener('resources'))
  }
}

interface Tapped {
  onmessage?: ((message: never, ...more: never[]) => void) | undefined
}

function peerOf(kind: ClientKind, client: Client, transport: Tapped, pid: number, end: () => Promise<void>): Peer {
  const received: JsonObject[] = []
  const { onmessage } = transport
  // oxlint-disable-next-line unicorn/prefer-add-event-listener -- it is a property of the SDK's, not an event target
  transport.onmessage = (message, ...more) => {
    received.push(message)
    onmessage?.(message, ...more)
  }
  const common = client as Sdk2
  const raws: Peer['raws'] = async (run) => {
    const before = received.length
    await run(common)
    return received
      .slice(before)
      .map((message) => message['result'])
      .filter((result) => isObject(result))
  }
  return {
    era: CLIENTS[kind].era,
    client: common,
    received,
    pid,
    call: (params, options = {}) =>
      client instanceof Sdk1 ? client.callTool(params, undefined, options) : client.callTool(params, options),
    raws,
    async raw(run) {
      const result = (await raws(run)).at(-1)
      if (!result) throw new Error('no result came over the wire')
      return result
    },
    terminate: end,
    close: () => client.close(),
  }
}

/** The first text of a tool result. */
export function textOf(result: unknown): string {
  const { content } = result as { content?: { text?: string }[] }
  return content?.[0]?.text ?? ''
}
