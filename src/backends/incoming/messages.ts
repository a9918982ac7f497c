import type { BatchMember } from '../../protocol/batch.ts'
import { splitBatch } from '../../protocol/batch.ts'
import { parseMessage } from '../../protocol/jsonrpc.ts'

/** Takes what a server says, one message after the other. */
export interface MessageSink {
  take(message: BatchMember): void
}

/**
 * What a server wrote in one go: a message, or a batch of them (2025-03-26, "Batching"). Answers whether any of it was
 * valid. Throws `PARSE_ERROR`, and `REQUEST_MALFORMED` for a batch that nobody may send.
 */
export function readMessages(text: string, sink: MessageSink): boolean {
  const message = parseMessage(text)
  if (message.kind !== 'batch') {
    sink.take(message)
    return message.kind !== 'invalid'
  }
  const members = splitBatch(message.items)
  for (const member of members) sink.take(member)
  return members.some(({ kind }) => kind !== 'invalid')
}
