import type { Notification } from '../model/call.ts'
import { GatewayError } from '../model/errors.ts'
import type { JsonObject } from '../model/json.ts'
import type { Message } from '../protocol/jsonrpc.ts'
import { errorText, methodNotFound, resultText } from '../protocol/jsonrpc.ts'
import type { LegContext } from './leg.ts'

const LIST_CHANGED = /^notifications\/(?:tools|prompts|resources)\/list_changed$/

/** What the gateway does with messages of a backend that are no answer to a request of ours. */
export class Answers {
  readonly #context: LegContext
  readonly #send: (text: string) => Promise<void>

  constructor(context: LegContext, send: (text: string) => Promise<void>) {
    this.#context = context
    this.#send = send
  }

  /** `onProgress` belongs to the request on whose stream the message came. */
  take(message: Message, onProgress: ((notification: Notification) => void) | undefined): void {
    if (message.kind === 'request') {
      const text =
        message.method === 'ping' ? resultText(message.id, {}) : errorText(message.id, methodNotFound(message.method))
      this.#send(text).catch(() => {})
    } else if (message.kind === 'notification') {
      if (message.method === 'notifications/progress') onProgress?.(message)
      else if (LIST_CHANGED.test(message.method)) this.#context.onListChanged()
    }
  }
}

/** Throws the backend's own error. */
export function resultOf(message: Message & { kind: 'response' | 'error' }): JsonObject {
  if (message.kind === 'response') return message.result
  const { code, message: text, data } = message.error
  throw new GatewayError('BACKEND_ERROR', text, data === undefined ? { jsonrpc: code } : { jsonrpc: code, data })
}
