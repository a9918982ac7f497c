import type { IncomingMessage, ServerResponse } from 'node:http'
import { GatewayError } from '../../../model/errors.ts'
import type { JsonObject } from '../../../model/json.ts'
import type { Gateway } from '../../gateway.ts'
import { readiness, status } from '../../report.ts'

interface Page {
  status: number
  body: JsonObject
}

/** Paths beside the MCP endpoint (contract 3). */
const PAGES: Readonly<Record<string, (gateway: Gateway) => Page>> = {
  '/health': () => ({ status: 200, body: { status: 'ok' } }),
  '/ping': () => ({ status: 200, body: { status: 'ok' } }),
  '/readyz': (gateway) => {
    const { ready, mode, reason } = readiness(gateway)
    if (ready) return { status: 200, body: { status: 'ready', mode } }
    return { status: 503, body: { status: 'not_ready', mode, reason } }
  },
  '/status': (gateway) => ({ status: 200, body: status(gateway) }),
}

/** Throws `PATH_UNKNOWN` and `METHOD_NOT_ALLOWED`. */
export function answerAdmin(gateway: Gateway, path: string, req: IncomingMessage, res: ServerResponse): void {
  const page = Object.hasOwn(PAGES, path) ? PAGES[path] : undefined
  if (!page) throw new GatewayError('PATH_UNKNOWN', 'Not found: the MCP endpoint is /mcp')
  if (req.method !== 'GET' && req.method !== 'HEAD') {
    res.setHeader('Allow', 'GET, HEAD')
    throw new GatewayError('METHOD_NOT_ALLOWED', 'Method not allowed')
  }
  const { status: code, body } = page(gateway)
  res.writeHead(code, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
  res.end(`${JSON.stringify(body)}\n`)
}
