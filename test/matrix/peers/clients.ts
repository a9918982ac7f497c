import {
  Client as Sdk2,
  LOG_LEVEL_META_KEY,
  SSEClientTransport as Sdk2Sse,
  StreamableHTTPClientTransport as Sdk2Http,
} from '@modelcontextprotocol/client'
import type { Transport as Transport2 } from '@modelcontextprotocol/client'
import { Client as Sdk1 } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport as Sdk1Sse } from '@modelcontextprotocol/sdk/client/sse.js'
import { StreamableHTTPClientTransport as Sdk1Http } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { Transport as Transport1 } from '@modelcontextprotocol/sdk/shared/transport.js'
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  ResultSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { z } from 'zod'

import { isObject, type JsonObject } from '../../../src/model/json.ts'
import { MODERN } from '../../support/script.ts'
import type { LegKind } from '../requirements/features.ts'

export type Sdk = 'v1' | 'v2'

/** What it was asked, as its handler got it. */
interface Asked {
  method: string
  params: JsonObject
}

type Answers = Record<
  'elicitation/create' | 'sampling/createMessage' | 'roots/list',
  (params: JsonObject) => JsonObject
>

export const CONTENT = { name: 'Ada', times: 0, colour: 'g' }
export const SAMPLED = {
  role: 'assistant',
  model: 'a-model',
  stopReason: 'toolUse',
  content: [{ type: 'tool_use', id: 'use-1', name: 'weather', input: { city: 'Bern' } }],
}
export const ROOTS = [{ uri: 'file:///home/ada/a%20b', name: 'Notes' }]

const ANSWERS: Answers = {
  'elicitation/create': ({ mode }) => (mode === 'url' ? { action: 'accept' } : { action: 'accept', content: CONTENT }),
  'sampling/createMessage': () => SAMPLED,
  'roots/list': () => ({ roots: ROOTS }),
}

export const ABLE = {
  elicitation: { form: {}, url: {} },
  sampling: { context: {}, tools: {} },
  roots: { listChanged: true },
}

interface CallOptions {
  signal?: AbortSignal
  onprogress?: (progress: { progress: number; total?: number | undefined; message?: string | undefined }) => void
  /** Of a modern request. */
  logLevel?: string
}

/** A connected client of one of the SDKs, which answers whatever it declared that it can. */
export interface MatrixClient extends LegKind {
  sdk: Sdk
  /** Typed as SDK v2: the calls that tests make are the same in both. */
  client: Sdk2
  /** Since `reset`, oldest first. */
  asked: Asked[]
  /** Every message from the wire since `reset`, oldest first. */
  received: JsonObject[]
  answers: Answers
  /** Params of the notifications of a method. */
  heard(method: string): JsonObject[]
  /** The value that the tool told; throws when it failed. */
  call(name: string, args?: JsonObject, options?: CallOptions): Promise<unknown>
  /** Any method, also one that the SDK does not know: the result as it came over the wire. */
  request(method: string, params?: JsonObject): Promise<JsonObject>
  /** Shown names, as the server says now. */
  tools(): Promise<string[]>
  /** Hears of changes until the returned function is called. */
  subscribe(uri: string): Promise<() => Promise<void>>
  /** Hears of changed lists of tools until the returned function is called. */
  watchTools(): Promise<() => Promise<void>>
  reset(): void
  close(): Promise<void>
}

type Transports = { v1: () => Transport1; v2: () => Transport2 }

export const overHttp = (url: string): Transports => ({
  v1: () => new Sdk1Http(new URL(url)),
  v2: () => new Sdk2Http(new URL(url), { fetch: fetchNamed }),
})

/** The SDK does not know that requests about tasks have the id of the task in a header too. */
function fetchNamed(url: string | URL, init: RequestInit = {}): Promise<Response> {
  const body: unknown = typeof init.body === 'string' ? JSON.parse(init.body) : undefined
  const params = isObject(body) && isObject(body['params']) ? body['params'] : {}
  const headers = new Headers(init.headers)
  if (typeof params['taskId'] === 'string') headers.set('mcp-name', params['taskId'])
  return fetch(url, { ...init, headers })
}

export const overSse = (url: string): Transports => ({
  v1: () => new Sdk1Sse(new URL(url)),
  v2: () => new Sdk2Sse(new URL(url)),
})

export async function connect(
  sdk: Sdk,
  leg: LegKind,
  transports: Transports,
  capabilities: JsonObject = ABLE,
): Promise<MatrixClient> {
  const info = { name: `matrix-${sdk}`, version: '1' }
  const asked: Asked[] = []
  const received: JsonObject[] = []
  const answers = { ...ANSWERS }
  const answer = (method: keyof Answers, params: unknown) => {
    const given = isObject(params) ? params : {}
    asked.push({ method, params: given })
    return answers[method](given)
  }
  let client: Sdk1 | Sdk2
  let transport: Transport1 | Transport2
  if (sdk === 'v1') {
    client = new Sdk1(info, { capabilities })
    if (capabilities['elicitation']) {
      client.setRequestHandler(ElicitRequestSchema, ({ method, params }) => answer(method, params) as never)
    }
    if (capabilities['sampling']) {
      client.setRequestHandler(CreateMessageRequestSchema, ({ method, params }) => answer(method, params) as never)
    }
    if (capabilities['roots']) {
      client.setRequestHandler(ListRootsRequestSchema, ({ method, params }) => answer(method, params) as never)
    }
    transport = transports.v1()
    await client.connect(transport)
  } else {
    const mode = leg.era === 'modern' ? { pin: MODERN } : 'legacy'
    client = new Sdk2(info, { capabilities, versionNegotiation: { mode } })
    for (const method of Object.keys(ANSWERS) as (keyof Answers)[]) {
      if (!capabilities[method.split('/')[0]!]) continue
      client.setRequestHandler(method, ({ params }: { params?: unknown }) => answer(method, params) as never)
    }
    transport = transports.v2()
    await client.connect(transport)
  }
  tap(transport, received)
  const common = client as Sdk2
  const callOf = (params: { name: string; arguments: JsonObject }, options: object): Promise<unknown> =>
    client instanceof Sdk1 ? client.callTool(params, undefined, options) : client.callTool(params, options)
  const listen = async (filter: Parameters<Sdk2['listen']>[0]) => {
    const subscription = await common.listen(filter)
    return () => subscription.close()
  }
  return {
    ...leg,
    sdk,
    client: common,
    asked,
    received,
    answers,
    heard: (method) =>
      received.filter((message) => message['method'] === method).map(({ params }) => (isObject(params) ? params : {})),
    async call(name, args = {}, { logLevel, ...options } = {}) {
      const meta = logLevel === undefined ? {} : { _meta: { [LOG_LEVEL_META_KEY]: logLevel } }
      const result = await callOf({ name, arguments: args, ...meta }, options)
      const { content, isError } = result as { content: { text: string }[]; isError?: boolean }
      const said = content[0]?.text ?? ''
      if (isError) throw new Error(said)
      return JSON.parse(said) as unknown
    },
    async request(method, params = {}) {
      const before = received.length
      // What SDK v2 makes of a result that it does not know does not count.
      const failure: unknown = await (
        client instanceof Sdk1
          ? client.request({ method, params }, ResultSchema)
          : client.request({ method, params }, z.looseObject({}))
      ).then(
        () => undefined,
        (error: unknown) => error,
      )
      const result = received.slice(before).findLast((message) => 'result' in message)?.['result']
      if (isObject(result)) return result
      throw failure
    },
    async tools() {
      const { tools } = await common.listTools({}, { cacheMode: 'refresh' })
      return tools.map(({ name }) => name)
    },
    async subscribe(uri) {
      if (leg.era === 'modern') return listen({ resourceSubscriptions: [uri] })
      await common.subscribeResource({ uri })
      return async () => void (await common.unsubscribeResource({ uri }))
    },
    watchTools: async () => (leg.era === 'modern' ? listen({ toolsListChanged: true }) : async () => {}),
    reset() {
      asked.length = 0
      received.length = 0
      Object.assign(answers, ANSWERS)
    },
    close: () => client.close(),
  }
}

interface Tapped {
  onmessage?: ((message: never, ...more: never[]) => void) | undefined
}

function tap(transport: Tapped, received: JsonObject[]): void {
  const { onmessage } = transport
  // oxlint-disable-next-line unicorn/prefer-add-event-listener -- it is a property of the SDK's, not an event target
  transport.onmessage = (message, ...more) => {
    received.push(message)
    onmessage?.(message, ...more)
  }
}
