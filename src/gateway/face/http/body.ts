import type { IncomingMessage } from 'node:http'
import { GatewayError } from '../../../model/errors.ts'

/** What bodies that are on their way may hold together. `grow` throws when it is too much. */
export interface Budget {
  grow: (bytes: number) => void
  release: () => void
}

/**
 * The whole body as text, read once. Throws `BODY_TOO_LARGE`; the rest of such a body is then discarded, so that the
 * client can read the answer, and the server's request timeout bounds how long that goes on.
 */
export function readBody(req: IncomingMessage, limit: number, budget?: Budget): Promise<string> {
  const announced = Number(req.headers['content-length'])
  if (announced > limit) return Promise.reject(tooLarge(req, limit))
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    req.on('data', (chunk: Buffer) => {
      size += chunk.length
      try {
        if (size > limit) throw tooLarge(req, limit)
        budget?.grow(chunk.length)
        chunks.push(chunk)
      } catch (error) {
        req.removeAllListeners('data')
        req.resume()
        reject(error)
      }
    })
    req.on('end', () => {
      const [first] = chunks
      resolve((chunks.length === 1 && first ? first : Buffer.concat(chunks)).toString('utf8'))
    })
    req.on('error', reject)
    // However it ends, nothing of it is on its way any more.
    if (budget) req.on('close', budget.release)
  })
}

function tooLarge(req: IncomingMessage, limit: number): GatewayError {
  req.resume()
  return new GatewayError('BODY_TOO_LARGE', `Payload too large: at most ${limit} bytes (key: maxRequestBytes)`)
}
