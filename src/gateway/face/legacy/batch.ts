import type { Context } from '../../../model/call.ts'
import { GatewayError, JSONRPC } from '../../../model/errors.ts'
import type { JsonValue } from '../../../model/json.ts'
import type { BatchMember } from '../../../protocol/batch.ts'
import { splitBatch } from '../../../protocol/batch.ts'
import { errorText } from '../../../protocol/jsonrpc.ts'
import type { Gateway } from '../../gateway.ts'
import { takeNotification } from './client-notifications.ts'
import type { LegacyClient } from './legacy-client.ts'
import { answerClient } from '../answering/response-text.ts'

/** The one revision that has batches (2025-03-26, basic, "Batching"). */
const REVISION = '2025-03-26'

/** What the client has sent in one. Throws `REQUEST_MALFORMED`. */
export function batchOf({ revision }: LegacyClient, items: readonly JsonValue[]): BatchMember[] {
  if (revision !== REVISION) {
    throw new GatewayError('REQUEST_MALFORMED', `Invalid Request: JSON-RPC batches belong to revision ${REVISION} only`)
  }
  return splitBatch(items)
}

/** Takes every member and resolves with the responses, in the order of their requests. Never rejects. */
export async function answerBatch(
  gateway: Gateway,
  client: LegacyClient,
  members: readonly BatchMember[],
  way: Pick<Context, 'emit' | 'flow' | 'ask'>,
): Promise<string[]> {
  const texts = await Promise.all(
    members.map(async (member) => {
      switch (member.kind) {
        case 'request':
          return answerClient(gateway, client, member, way)
        case 'notification':
          return takeNotification(gateway, client, member.method, member.params)
        case 'response':
        case 'error':
          return client.answer(member)
        case 'invalid':
          return errorText(member.id, {
            code: JSONRPC.invalidRequest,
            message: `Invalid Request: ${member.problem}`,
          })
      }
    }),
  )
  return texts.filter((text) => text !== undefined)
}
