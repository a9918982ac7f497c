import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect, test, vi } from 'vitest'
import type { ResultStream } from '../../../model/call.ts'
import { Responder } from './responder.ts'

test('a result for a client that is gone is not left waiting upstream', () => {
  const res = { destroyed: true, writableEnded: false, writeHead: vi.fn(), write: vi.fn(), on: vi.fn() }
  const stream = { length: 10, upstreamId: 100_000_000_000_000, pipe: vi.fn(), abort: vi.fn() }
  const responder = new Responder({ headers: {} } as IncomingMessage, res as unknown as ServerResponse)
  responder.stream(stream as unknown as ResultStream, '1')
  expect(stream.abort).toHaveBeenCalledOnce()
  expect(stream.pipe).not.toHaveBeenCalled()
  expect(res.writeHead).not.toHaveBeenCalled()
})
