import { GatewayError, JSONRPC } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import type { Profile } from '../../model/profile.ts'

/**
 * The questions of a `-32042` error (2025-11-25, "URL Elicitation Required"): links that the user must visit before the
 * call can be made. `undefined`: it is no such error, or the caller cannot be asked to visit links.
 */
export function asLinks(error: unknown, profile: Profile): JsonObject | undefined {
  if (!isUrlRequired(error) || !takesLinks(profile)) return undefined
  const elicitations = isObject(error.data) ? error.data['elicitations'] : undefined
  if (!Array.isArray(elicitations) || elicitations.length === 0) return undefined
  return elicitations.every(isObject) ? linkQuestions(elicitations) : undefined
}

/** Links as a modern client is asked to have its user visit them; it has no ids for them. */
export function linkQuestions(links: readonly JsonObject[]): JsonObject {
  const questions = links.map((link, index): [string, JsonObject] => {
    const { elicitationId: _, ...params } = link
    return [`elicitation-${index + 1}`, { method: 'elicitation/create', params: { ...params, mode: 'url' } }]
  })
  return Object.fromEntries(questions)
}

/** Whether the user agreed to every one of the links. */
export function accepted(answers: unknown): boolean {
  if (!isObject(answers)) return false
  const given = Object.values(answers)
  return given.length > 0 && given.every((answer) => isObject(answer) && answer['action'] === 'accept')
}

function isUrlRequired(error: unknown): error is GatewayError {
  return (
    error instanceof GatewayError && error.code === 'BACKEND_ERROR' && error.jsonrpc === JSONRPC.urlElicitationRequired
  )
}

/** Whether the user can be asked to visit a link. */
export function takesLinks({ legacy }: Profile): boolean {
  const { elicitation } = legacy
  return isObject(elicitation) && isObject(elicitation['url'])
}
