import { isObject, type JsonObject, type JsonValue } from '../../../../model/json.ts'
import { Secret } from '../../../../model/secret.ts'
import type { State } from './store.ts'

/** Members that are secrets, in whichever record of the state. */
const SECRETS = ['access', 'refresh', 'idToken', 'secret'] as const

/** A state with all its secrets in the open: to be sealed, and for nothing else. */
export function textOf(state: State): string {
  return JSON.stringify(state, function (this: Record<string, unknown>, key, member) {
    const raw = this[key]
    return raw instanceof Secret ? raw.reveal() : (member as unknown)
  })
}

/** `undefined`: it is no state. */
export function stateOf(text: string): State | undefined {
  const value = JSON.parse(text) as JsonValue
  if (!isObject(value)) return undefined
  const { tokens = {}, clients = {}, logins = {} } = value
  if (!isObject(tokens) || !isObject(clients) || !isObject(logins)) return undefined
  for (const token of Object.values(tokens)) if (isObject(token)) hide(token['client'])
  for (const kept of [tokens, clients, logins].flatMap((record) => Object.values(record))) hide(kept)
  // Nobody but this program can have sealed it.
  return { tokens, clients, logins } as unknown as State
}

/** Of a record that was just read. */
function hide(kept: JsonValue | undefined): void {
  if (!isObject(kept)) return
  const record: Record<string, unknown> = kept satisfies JsonObject
  for (const name of SECRETS) {
    const text = record[name]
    if (typeof text === 'string') record[name] = new Secret(text)
  }
}
