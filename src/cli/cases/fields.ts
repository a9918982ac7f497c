import { fileError } from '../../config/faults.ts'
import { formatFault } from '../../config/format.ts'
import type { Located, LocatedEntry, Position } from '../../config/positions.ts'
import { plain } from '../../config/positions.ts'
import type { JsonObject, JsonValue } from '../../model/json.ts'
import { suggest } from '../../model/nearest.ts'
import { CliError, EXIT } from '../exit.ts'

/** A slip in a file, where it stands. */
export const wrongAt = (at: Position, message: string, hint?: string): CliError =>
  new CliError(EXIT.config, formatFault(fileError(at, message, hint)))

/** What readers of values throw is a `CliError` that names the place. `what`: the value, at the start of a sentence. */
export type Reader<Value> = (node: Located, what: string) => Value

export type Readers = Readonly<Record<string, Reader<unknown>>>
export type Read<Fields extends Readers> = { [Key in keyof Fields]?: ReturnType<Fields[Key]> }

const entriesOf: Reader<[string, LocatedEntry][]> = (node, what) => {
  if (node.kind !== 'map') throw wrongAt(node.at, `${what} must be a map`)
  return [...node.entries]
}

export const itemsOf: Reader<readonly Located[]> = (node, what) => {
  if (node.kind !== 'list') throw wrongAt(node.at, `${what} must be a list`)
  return node.items
}

export const textOf: Reader<string> = (node, what) => {
  if (node.kind !== 'scalar' || typeof node.value !== 'string') throw wrongAt(node.at, `${what} must be a text`)
  if (node.value.trim() === '') throw wrongAt(node.at, `${what} is empty`)
  return node.value
}

export const flagOf: Reader<boolean> = (node, what) => {
  if (node.kind !== 'scalar' || typeof node.value !== 'boolean') throw wrongAt(node.at, `${what} must be true or false`)
  return node.value
}

export const jsonOf: Reader<JsonValue> = (node) => plain(node) as JsonValue

export const objectOf: Reader<JsonObject> = (node, what) => {
  if (node.kind !== 'map') throw wrongAt(node.at, `${what} must be a map`)
  return plain(node) as JsonObject
}

export const choiceOf =
  <const Choice extends string>(choices: readonly Choice[]): Reader<Choice> =>
  (node, what) => {
    const text = textOf(node, what)
    const choice = choices.find((one) => one === text)
    if (choice === undefined)
      throw wrongAt(node.at, `${what} cannot be ${JSON.stringify(text)}`, suggest(text, choices))
    return choice
  }

export const listOf =
  <Value>(read: Reader<Value>): Reader<Value[]> =>
  (node, what) =>
    itemsOf(node, what).map((item, index) => read(item, `${what}[${index}]`))

export const mapOf =
  <Value>(read: Reader<Value>): Reader<ReadonlyMap<string, Value>> =>
  (node, what) =>
    new Map(entriesOf(node, what).map(([key, { value }]) => [key, read(value, key)]))

/** The values of a map that may have these keys and no others. Those that are absent are not in the result. */
export function fieldsOf<Fields extends Readers>(node: Located, what: string, fields: Fields): Read<Fields> {
  const known = Object.keys(fields)
  const values: Record<string, unknown> = {}
  for (const [key, { at, value }] of entriesOf(node, what)) {
    const read = known.includes(key) ? fields[key] : undefined
    if (!read) throw wrongAt(at, `unknown key "${key}"`, suggest(key, known))
    values[key] = read(value, key)
  }
  return values as Read<Fields>
}
