import { request, type IncomingMessage } from 'node:http'

/** One legacy session for the shapes that do not need the load generator. Plain `node:http`, nothing clever. */
export interface Client {
  /** Names of all tools, over all pages. */
  tools(): Promise<string[]>
  /** How long a call takes that succeeds, in milliseconds. */
  timed(tool: string, args: Record<string, unknown>): Promise<number>
  /** Calls `big`, checks that every byte came, and tells when. Times in milliseconds since the epoch, with fractions. */
  big(tool: string, args: { bytes: number; pieces?: number; delayMs?: number }): Promise<BigTimes>
}

interface BigTimes {
  sentAt: number
  /** When the result itself, not only the head, began to arrive. */
  firstAt: number
  lastAt: number
}

export type Era = 'legacy' | 'modern'

const MODERN = '2026-07-28'
const LEGACY = '2025-11-25'
/** More than any envelope: whoever has so much of the answer has some of the result. */
const ENVELOPE_BYTES = 1024
const clock = () => performance.timeOrigin + performance.now()
let lastId = 500_000_000

export async function openClient(url: string, era: Era, token?: string): Promise<Client> {
  const peer: Peer = { url, era, token, session: undefined }
  if (era === 'legacy') {
    const params = { protocolVersion: LEGACY, capabilities: {}, clientInfo: { name: 'bench', version: '1.0.0' } }
    const { response } = await post(peer, 'initialize', params)
    const header = response.headers['mcp-session-id']
    peer.session = typeof header === 'string' ? header : undefined
    await post(peer, 'notifications/initialized', {}, true)
  }
  return {
    async tools() {
      const names: string[] = []
      let cursor: string | undefined
      do {
        const { result } = await post(peer, 'tools/list', cursor === undefined ? {} : { cursor })
        const page = result as { tools: { name: string }[]; nextCursor?: string }
        names.push(...page.tools.map((tool) => tool.name))
        cursor = page.nextCursor
      } while (cursor !== undefined)
      return names
    },
    async timed(tool, args) {
      const sentAt = clock()
      const { result, lastAt } = await post(peer, 'tools/call', { name: tool, arguments: args })
      if ((result as { isError?: boolean }).isError) throw new Error(`${tool}: ${JSON.stringify(result).slice(0, 300)}`)
      return lastAt - sentAt
    },
    async big(tool, args) {
      const sentAt = clock()
      const answer = await post(peer, 'tools/call', { name: tool, arguments: args })
      const { content } = answer.result as { content: { text: string }[] }
      const length = content[0]?.text.length
      if (length !== args.bytes) throw new Error(`asked for ${args.bytes} bytes, got ${length}`)
      return { sentAt, firstAt: answer.firstAt, lastAt: answer.lastAt }
    },
  }
}

interface Answer {
  response: IncomingMessage
  result: unknown
  firstAt: number
  lastAt: number
}

interface Peer {
  readonly url: string
  readonly era: Era
  readonly token: string | undefined
  session: string | undefined
}

async function post(
  { url, era, token, session }: Peer,
  method: string,
  params: Record<string, unknown>,
  isNotification = false,
): Promise<Answer> {
  const id = ++lastId
  const headers: Record<string, string> = {
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
  }
  if (token !== undefined) headers['authorization'] = `Bearer ${token}`
  if (era === 'modern') {
    params = { ...params, _meta: envelope }
    headers['mcp-protocol-version'] = MODERN
    headers['mcp-method'] = method
    if (typeof params['name'] === 'string') headers['mcp-name'] = params['name']
  } else if (session !== undefined) {
    headers['mcp-protocol-version'] = LEGACY
    headers['mcp-session-id'] = session
  }
  const body = JSON.stringify({ jsonrpc: '2.0', ...(isNotification ? {} : { id }), method, params })
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = request(url, { method: 'POST', headers, timeout: 30_000 }, resolve)
    outgoing.on('error', reject)
    outgoing.on('timeout', () => outgoing.destroy(new Error(`${method}: no answer within 30 s`)))
    outgoing.end(body)
  })
  const chunks: Buffer[] = []
  let size = 0
  let firstAt = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    size += chunk.length
    if (firstAt === 0 && size > ENVELOPE_BYTES) firstAt = clock()
  }
  const lastAt = clock()
  const text = Buffer.concat(chunks).toString()
  if (isNotification) return { response, result: undefined, firstAt, lastAt }
  if (response.statusCode !== 200) throw new Error(`${method}: status ${response.statusCode} ${text.slice(0, 300)}`)
  const message = JSON.parse(
    response.headers['content-type']?.startsWith('text/event-stream') ? lastEvent(text) : text,
  ) as { id: number; result?: unknown; error?: { message: string } }
  if (message.error) throw new Error(`${method}: ${message.error.message}`)
  if (message.id !== id) throw new Error(`${method}: the answer has the id ${message.id} instead of ${id}`)
  return { response, result: message.result, firstAt, lastAt }
}

const envelope = {
  'io.modelcontextprotocol/protocolVersion': MODERN,
  'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1.0.0' },
  'io.modelcontextprotocol/clientCapabilities': {},
}

function lastEvent(text: string): string {
  const line = text.split('\n').findLast((each) => each.startsWith('data:') && each.length > 6)
  return line?.slice(5) ?? ''
}
