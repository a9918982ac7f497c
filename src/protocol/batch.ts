import { GatewayError } from '../model/errors.ts'
import type { JsonValue } from '../model/json.ts'
import type { Message } from './jsonrpc.ts'
import { classifyMessage } from './jsonrpc.ts'

const MAX_MEMBERS = 100

/** A member of a batch: any message but a batch. */
export type BatchMember = Exclude<Message, { kind: 'batch' }>

/**
 * The members of a JSON-RPC batch, which 2025-03-26 alone of all revisions has (basic, "Batching"). A member that is
 * malformed comes out as `invalid` and is answered on its own. Throws `REQUEST_MALFORMED` when nobody may send the whole.
 */
export function splitBatch(items: readonly JsonValue[]): BatchMember[] {
  if (items.length === 0) throw refused('a batch must not be empty')
  if (items.length > MAX_MEMBERS) throw refused(`a batch has at most ${MAX_MEMBERS} members`)
  const members = items.map(memberOf)
  if (members.some((member) => 'method' in member && member.method === 'initialize')) {
    throw refused('initialize must not be part of a batch')
  }
  return members
}

function memberOf(item: JsonValue): BatchMember {
  const message = classifyMessage(item)
  if (message.kind !== 'batch') return message
  return { kind: 'invalid', id: 'null', problem: 'a batch must not hold another one' }
}

function refused(problem: string): GatewayError {
  return new GatewayError('REQUEST_MALFORMED', `Invalid Request: ${problem}`)
}

/** The answer to a batch out of the JSON texts of its responses; `undefined`: there is nothing to answer (202). */
export function joinResponses(texts: readonly string[]): string | undefined {
  return texts.length === 0 ? undefined : `[${texts.join(',')}]`
}
