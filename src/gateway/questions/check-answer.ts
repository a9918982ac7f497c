import type { JsonValue } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'

const ACTIONS: readonly unknown[] = ['accept', 'decline', 'cancel']

/** What is wrong with a client's answer to a question of a backend; `undefined`: nothing. */
export function checkAnswer(method: string, answer: JsonValue): string | undefined {
  if (!isObject(answer)) return 'must be an object'
  switch (method) {
    case 'elicitation/create': {
      if (!ACTIONS.includes(answer['action'])) return 'needs an "action": accept, decline or cancel'
      const { content } = answer
      return content === undefined || content === null || isObject(content) ? undefined : 'needs an object as "content"'
    }
    case 'sampling/createMessage':
      return typeof answer['role'] === 'string' && answer['content'] !== undefined
        ? undefined
        : 'needs a "role" and a "content"'
    case 'roots/list':
      return Array.isArray(answer['roots']) ? undefined : 'needs a list "roots"'
    default:
      return undefined
  }
}
