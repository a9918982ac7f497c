import { literal } from '../../config/expand.ts'
import type { JsonObject, JsonValue } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import type { Client, Machine } from '../clients.ts'
import { homeOf } from '../clients.ts'

type Shape = NonNullable<Client['shape']>

/** What an editor notes beside a server and no gateway needs. */
const EDITOR_KEYS: Readonly<Record<Shape, ReadonlySet<string>>> = {
  vscode: new Set(['gallery', 'version', 'dev']),
  zed: new Set(['source', 'settings', 'enabled', 'command']),
}

/** Brings an entry to the form of `mcpServers`. Entries of most clients have it already and stay as they are. */
export function normalise(definition: JsonObject, { shape }: Client, machine: Machine): JsonObject {
  return shape === undefined ? definition : SHAPES[shape](definition, machine)
}

const without = (definition: JsonObject, keys: ReadonlySet<string>): JsonObject =>
  Object.fromEntries(Object.entries(definition).filter(([key]) => !keys.has(key)))

/** `${workspaceFolder}` and `${userHome}` are known here and nowhere later. */
function fromVsCode(definition: JsonObject, machine: Machine): JsonObject {
  const variables = { workspaceFolder: machine.cwd, userHome: homeOf(machine) }
  const replace = (value: JsonValue): JsonValue => {
    if (typeof value === 'string') {
      return value.replaceAll(/\$\{(workspaceFolder|userHome)\}/gu, (whole, name: keyof typeof variables) => {
        const path = variables[name]
        return path === undefined ? whole : literal(path)
      })
    }
    if (Array.isArray(value)) return value.map(replace)
    return isObject(value) ? mapValues(value, replace) : value
  }
  return mapValues(without(definition, EDITOR_KEYS.vscode), replace)
}

const mapValues = (object: JsonObject, change: (value: JsonValue) => JsonValue): JsonObject =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [key, value === undefined ? value : change(value)]))

/** The command stands flat, or in the older form `{path, args, env}`. */
function fromZed(definition: JsonObject): JsonObject {
  const { command, enabled } = definition
  const { path, ...nested } = isObject(command) ? command : { path: command }
  return {
    ...(path !== undefined && { command: path }),
    ...nested,
    ...without(definition, EDITOR_KEYS.zed),
    ...(enabled === false && { disabled: true }),
  }
}

const SHAPES: Readonly<Record<Shape, (definition: JsonObject, machine: Machine) => JsonObject>> = {
  vscode: fromVsCode,
  zed: fromZed,
}
