import type { ServerResponse } from 'node:http'
import type { ByteSink, ResultStream } from '../../../model/call.ts'
import { IdSplicer } from '../../../protocol/splice.ts'

/**
 * Ends a response with a result that is still arriving: passed on as it comes, as fast as the client reads, its id
 * replaced by `id` (JSON text). `asEvent`: as the data of an event that has begun.
 */
export function passResult(res: ServerResponse, stream: ResultStream, id: string, asEvent: boolean): void {
  // Nobody would ever take it: it would hold its upstream until the deadline.
  if (res.writableEnded || res.destroyed) return stream.abort(new Error('the client is gone'))
  const splicer = new IdSplicer(stream.upstreamId, id)
  const write = (chunks: Buffer[]): boolean => {
    let more = true
    for (const chunk of chunks) if (chunk.length > 0) more = res.write(asEvent ? oneLine(chunk) : chunk)
    return more
  }
  const sink: ByteSink = {
    write: (chunk) => write(splicer.push(chunk)),
    end: () => {
      write(splicer.end())
      // An answer under the gateway's own id is one that the client waits for in vain.
      if (splicer.done) res.end(asEvent ? '\n\n' : undefined)
      else res.destroy()
    },
    // Half a response must not look like a whole one.
    fail: () => res.destroy(),
  }
  res.on('drain', () => stream.resume())
  res.on('close', () => {
    if (!res.writableFinished) stream.abort(new Error('the client is gone'))
  })
  stream.pipe(sink)
}

/** Line breaks in JSON text are only white space, but they would end an event's data line. */
function oneLine(chunk: Buffer): Buffer {
  if (!chunk.includes(0x0a) && !chunk.includes(0x0d)) return chunk
  return Buffer.from(chunk.map((byte) => (byte === 0x0a || byte === 0x0d ? 0x20 : byte)))
}
