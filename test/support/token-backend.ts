import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import type { Era } from '../../src/model/backend.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { LEGACY, META, MODERN } from './script.ts'

export interface TokenBackendOptions {
  era: Era
  /** Whose token this is; absent: it is none, and gets 401. */
  userOf: (token: string) => string | undefined | Promise<string | undefined>
  /** Authorization server, named by the metadata (RFC 9728). Absent: there is no metadata. */
  issuer?: string
  scopes?: readonly string[]
  /** Scope that a tool call needs beyond, told with 403; asked for the token. */
  lacks?: (token: string) => string | undefined
  /** What may be done without a token. */
  open?: (method: string) => boolean
}

/** A server that lets in whoever shows a token, and offers each user a tool of their own besides `whoami`. */
export interface TokenBackend {
  /** Ends in `/mcp`. */
  url: string
  /** `Authorization` of every request to the endpoint, in order; `''`: none. */
  shown: string[]
  /** Methods that were carried out, and for whom. */
  done: { method: string; user: string | undefined }[]
}

export async function tokenBackend(options: TokenBackendOptions): Promise<TokenBackend> {
  const { era, userOf, issuer, scopes = [], lacks = () => undefined, open = () => false } = options
  const shown: string[] = []
  const done: TokenBackend['done'] = []
  const server = createServer((req, res) => void serve(req, res).catch(() => res.destroy()))
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })

  async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const json = (status: number, body: JsonObject, headers: Record<string, string> = {}): void => {
      res.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
    }
    if (req.url === '/.well-known/oauth-protected-resource/mcp' && issuer !== undefined) {
      return json(200, { resource: `${origin}/mcp`, authorization_servers: [issuer], scopes_supported: [...scopes] })
    }
    if (req.url !== '/mcp') return void res.writeHead(404).end()
    shown.push(req.headers.authorization ?? '')
    const text = await bodyOf(req)
    const message = (text === '' ? {} : JSON.parse(text)) as { id?: number; method?: string; params?: JsonObject }
    const token = /^Bearer (.+)$/.exec(req.headers.authorization ?? '')?.[1]
    const user = token === undefined ? undefined : await userOf(token)
    const metadata =
      issuer === undefined ? '' : ` resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`
    if (user === undefined && !open(message.method ?? '')) {
      return json(401, { error: 'no' }, { 'www-authenticate': `Bearer error="invalid_token",${metadata}` })
    }
    if (req.method !== 'POST') return void res.writeHead(405).end()
    const lacking = message.method === 'tools/call' && token !== undefined ? lacks(token) : undefined
    if (lacking !== undefined) {
      const challenge = `Bearer error="insufficient_scope", scope="${lacking}",${metadata}`
      return json(403, { error: 'no' }, { 'www-authenticate': challenge })
    }
    if (message.id === undefined) return void res.writeHead(202).end()
    done.push({ method: message.method ?? '', user })
    json(200, { jsonrpc: '2.0', id: message.id, ...answer(message.method ?? '', message.params ?? {}, user, era) })
  }

  return { url: `${origin}/mcp`, shown, done }
}

function answer(method: string, params: JsonObject, user: string | undefined, era: Era): JsonObject {
  const modern = JSON.stringify(params).includes(META.version)
  if (modern !== (era === 'modern')) return { error: { code: -32601, message: 'Method not found' } }
  const extra = modern ? { resultType: 'complete', ttlMs: 60_000, cacheScope: 'private' } : {}
  const tool = (name: string): JsonObject => ({ name, inputSchema: { type: 'object' } })
  switch (method) {
    case 'initialize':
    case 'server/discover': {
      const speaks = modern ? { supportedVersions: [MODERN] } : { protocolVersion: LEGACY[0]! }
      return { result: { ...extra, ...speaks, capabilities: { tools: {} }, serverInfo: { name: 'p', version: '1' } } }
    }
    case 'tools/list':
      return { result: { ...extra, tools: [tool('whoami'), ...(user === undefined ? [] : [tool(`of_${user}`)])] } }
    case 'tools/call':
      return { result: { ...extra, content: [{ type: 'text', text: user ?? 'nobody' }] } }
    default:
      return { result: extra }
  }
}

async function bodyOf(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of req as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}
