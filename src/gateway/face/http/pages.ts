import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ConnectPages } from '../../../auth/outbound/credentials.ts'
import { isLoopbackAddress, isLoopbackName } from '../../../model/loopback.ts'
import { nameOf } from './guard.ts'

/** Answers a request for one of the pages at which users sign in. False: there is none at this path. */
export function answerPage(pages: ConnectPages, path: string, req: IncomingMessage, res: ServerResponse): boolean {
  if (!pages.paths.includes(path)) return false
  const { method = 'GET', url = '', headers } = req
  const asked = {
    method,
    path,
    query: new URLSearchParams(queryOf(url)),
    cookie: headers.cookie,
    loopback: isLocal(req),
    prefetch: isPrefetch(req),
  }
  pages.answer(asked).then(
    ({ status, headers: own, body }) => res.writeHead(status, own).end(method === 'HEAD' ? undefined : body),
    () => res.writeHead(500, { 'Content-Type': 'text/plain' }).end('The gateway has failed to answer.'),
  )
  return true
}

/** A door for the pages alone, on a free port of this machine: for gateways without a door of their own. */
export async function listenForPages(
  pages: () => ConnectPages | undefined,
): Promise<{ address: string; server: Server }> {
  const server = createServer((req, res) => {
    const { url = '/' } = req
    const known = isLoopbackName(nameOf(req.headers.host ?? '')) && pages()
    const path = url.split('?', 1)[0] ?? ''
    if (!known || !answerPage(known, path, req, res))
      res.writeHead(404, { 'Content-Type': 'text/plain' }).end('Not found')
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  // A page that nobody opens keeps nobody up.
  server.unref()
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server }
}

/** From this machine, and by no proxy on it. */
function isLocal({ socket, headers }: IncomingMessage): boolean {
  const passedOn = headers.forwarded !== undefined || headers['x-forwarded-for'] !== undefined
  return !passedOn && isLoopbackAddress(socket.remoteAddress ?? '') && isLoopbackName(nameOf(headers.host ?? ''))
}

/** As browsers say it, and have said it. */
const PURPOSES = ['sec-purpose', 'purpose', 'x-purpose', 'x-moz'] as const

/** Fetched by a browser, or by a preview of a link, before anybody has opened it. */
function isPrefetch({ headers }: IncomingMessage): boolean {
  return PURPOSES.some((name) => /\b(?:prefetch|prerender|preview)\b/iu.test(String(headers[name] ?? '')))
}

function queryOf(url: string): string {
  const start = url.indexOf('?')
  return start === -1 ? '' : url.slice(start + 1)
}
