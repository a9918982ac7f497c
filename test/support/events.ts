import type { JsonObject } from '../../src/model/json.ts'
import { LEGACY } from './script.ts'

/** One event as it stood on the wire. */
interface WireEvent {
  id: string | undefined
  event: string | undefined
  retry: number | undefined
  data: string
}

/** An event stream that a test follows, and leaves when it likes. */
export interface Followed {
  status: number
  type: string | null
  events: WireEvent[]
  /** Of the events with data. */
  messages(): JsonObject[]
  lastId(): string
  /** Resolves when the server has ended it; false: it was cut. */
  ended: Promise<boolean>
  close(): void
}

export async function follow(url: string, init: RequestInit): Promise<Followed> {
  const abort = new AbortController()
  const response = await fetch(url, { ...init, signal: abort.signal })
  const events: WireEvent[] = []
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    events,
    messages: () => events.filter(({ data }) => data !== '').map(({ data }) => JSON.parse(data) as JsonObject),
    lastId: () => events.findLast(({ id }) => id !== undefined)?.id ?? '',
    ended: read(response, events),
    close: () => abort.abort(),
  }
}

async function read(response: Response, events: WireEvent[]): Promise<boolean> {
  let rest = ''
  try {
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const parts = `${rest}${chunk}`.split('\n\n')
      rest = parts.pop() ?? ''
      for (const part of parts) if (!part.startsWith(':')) events.push(eventOf(part))
    }
    return true
  } catch {
    return false
  }
}

function eventOf(text: string): WireEvent {
  const field = (name: string) =>
    text
      .split('\n')
      .find((line) => line.startsWith(`${name}: `))
      ?.slice(name.length + 2)
  const retry = field('retry')
  return {
    id: field('id'),
    event: field('event'),
    retry: retry === undefined ? undefined : Number(retry),
    data: field('data') ?? '',
  }
}

/** A legacy client that sees every event and id. */
export interface StreamClient {
  headers: Record<string, string>
  post(message: JsonObject | JsonObject[]): Promise<Followed>
  get(lastEventId?: string): Promise<Followed>
  end(): Promise<void>
}

export async function streamClient(
  url: string,
  revision: string = LEGACY[0]!,
  capabilities: JsonObject = {},
): Promise<StreamClient> {
  const headers: Record<string, string> = {
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
  }
  const params = { protocolVersion: revision, capabilities, clientInfo: { name: 'streams', version: '1' } }
  const body = JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params })
  const hello = await fetch(url, { method: 'POST', headers, body })
  await hello.text()
  headers['mcp-session-id'] = hello.headers.get('mcp-session-id') ?? ''
  headers['mcp-protocol-version'] = revision
  const post: StreamClient['post'] = (message) =>
    follow(url, { method: 'POST', headers, body: JSON.stringify(message) })
  await post({ jsonrpc: '2.0', method: 'notifications/initialized' })
  return {
    headers,
    post,
    get: (lastEventId) =>
      follow(url, {
        headers: {
          ...headers,
          accept: 'text/event-stream',
          ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
        },
      }),
    end: async () => void (await fetch(url, { method: 'DELETE', headers })),
  }
}
