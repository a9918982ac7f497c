import type { IncomingMessage } from 'node:http'
import type { Gateway } from '../../gateway.ts'

/** The headers that the operator wants passed on (`passthroughHeaders`), as far as this request has them. */
export function passedHeaders({ headers }: IncomingMessage, { current }: Gateway): readonly string[] | undefined {
  const { passthroughHeaders } = current.config
  if (passthroughHeaders.length === 0) return undefined
  return passthroughHeaders.flatMap((name) => {
    const value = headers[name]
    return value === undefined ? [] : [name, typeof value === 'string' ? value : value.join(', ')]
  })
}
