import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** One request that arrived at the endpoint. */
export interface TokenRequest {
  form: Record<string, string>
  /** `Authorization`. */
  authorization: string | undefined
}

export interface TokenAnswer {
  status?: number
  /** Text goes out as it is. */
  body?: object | string
  headers?: Record<string, string>
  /** Nobody answers before this has resolved. */
  after?: Promise<unknown>
}

export interface TokenServer {
  url: string
  requests: TokenRequest[]
}

/** A token endpoint on loopback whose answers the test decides; it ends with the test. */
export async function tokenServer(
  answer: (request: TokenRequest, count: number) => TokenAnswer | Promise<TokenAnswer>,
): Promise<TokenServer> {
  const requests: TokenRequest[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => void chunks.push(chunk))
    request.on('end', () => {
      const form = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString()))
      const seen = { form, authorization: request.headers.authorization }
      requests.push(seen)
      const reply = async (): Promise<void> => {
        const { status = 200, body = {}, headers = {}, after } = await answer(seen, requests.length)
        await after
        response.writeHead(status, { 'content-type': 'application/json', ...headers })
        response.end(typeof body === 'string' ? body : JSON.stringify(body))
      }
      reply().catch(() => response.destroy())
    })
  })
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`, requests }
}

/** An answer with a bearer token. */
export const bearer = (value: string, more: object = {}): TokenAnswer => ({
  body: { access_token: value, token_type: 'Bearer', expires_in: 3600, ...more },
})
