import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** What a backend on loopback says about the way to a token; it ends with the test. */
export interface ProtectedBackend {
  url: string
  /** Its resource metadata; may be changed at any time. `undefined`: it has none. */
  metadata: object | undefined
  /** `WWW-Authenticate` of its 401. */
  challenge: string | undefined
  /** Methods and paths that were asked for, in order. */
  asked: string[]
}

export async function protectedBackend(issuer: string, scopes: readonly string[] = []): Promise<ProtectedBackend> {
  const server = createServer((request, response) => {
    backend.asked.push(`${request.method} ${request.url}`)
    request.resume()
    if (request.url === '/mcp') unauthorized(response, backend.challenge)
    else if (request.url?.startsWith('/.well-known/oauth-protected-resource') && backend.metadata) {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(backend.metadata))
    } else response.writeHead(404).end()
  })
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
  const backend: ProtectedBackend = {
    url,
    metadata: { resource: url, authorization_servers: [issuer], scopes_supported: scopes },
    challenge: 'Bearer',
    asked: [],
  }
  return backend
}

function unauthorized(response: ServerResponse, challenge: string | undefined): void {
  response.writeHead(401, challenge === undefined ? {} : { 'www-authenticate': challenge }).end()
}
