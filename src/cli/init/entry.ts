import type { Client } from '../clients.ts'
import type { JsonObject, JsonValue } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'

/** One server as one client describes it, in the form of `mcpServers`. */
export interface Entry {
  name: string
  client: Client
  definition: JsonObject
}

export const isOff = (definition: JsonObject): boolean =>
  definition['disabled'] === true || definition['enabled'] === false

export const urlOf = (definition: JsonObject): string | undefined =>
  [definition['url'], definition['serverUrl'], definition['httpUrl']].find((value) => typeof value === 'string')

/**
 * A text that is equal for definitions that reach the same server in the same way, however a client spells it.
 * Keys that only clients understand, and whether the entry is switched off, do not count.
 */
export function fingerprint(definition: JsonObject): string {
  const url = urlOf(definition)
  const { command, args, env, cwd, headers } = definition
  const target =
    url === undefined ? { command, cwd, args: emptyAs(args, []) } : { url, transport: transportOf(definition, url) }
  return canonical({ ...target, env: emptyAs(env, {}), headers: emptyAs(lowerCaseKeys(headers), {}) })
}

function transportOf({ type, transport }: JsonObject, url: string): JsonValue {
  const given = type ?? transport
  if (given === undefined) return URL.parse(url)?.pathname.endsWith('/sse') ? 'sse' : 'http'
  return typeof given === 'string' && /^(?:streamable.?)?http$|^remote$/iu.test(given) ? 'http' : given
}

const emptyAs = (value: JsonValue | undefined, empty: JsonValue): JsonValue => value ?? empty

function lowerCaseKeys(value: JsonValue | undefined): JsonValue | undefined {
  if (!isObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key.toLowerCase(), inner]))
}

/** JSON with sorted keys. */
export function canonical(value: JsonValue | undefined): string {
  return JSON.stringify(value, (_key, inner: JsonValue) =>
    isObject(inner) ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1))) : inner,
  )
}

const GATEWAY_HOSTS = new Set(['127.0.0.1', 'localhost', '[::1]', '0.0.0.0'])
const GATEWAY_PORT = '4483'

/** Whether the entry leads to a vmcp gateway: by its address, through a bridge such as mcp-remote, or by starting one. */
export function leadsToGateway(definition: JsonObject): boolean {
  const { command, args } = definition
  const words = [command, ...(Array.isArray(args) ? args : [])].filter((word) => typeof word === 'string')
  const starts = words.some((word) => /(?:^|[/\\])vmcp(?:\.cmd|\.exe)?$/u.test(word)) && words.includes('serve')
  const url = urlOf(definition)
  return starts || [...words, ...(url === undefined ? [] : [url])].some(isGatewayUrl)
}

function isGatewayUrl(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && url.port === GATEWAY_PORT && GATEWAY_HOSTS.has(url.hostname)
}
