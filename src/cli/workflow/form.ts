import type { JsonObject, JsonValue } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import { plain } from '../terminal.ts'
import type { Conversation } from './conversation.ts'

/** Asks for the members of a flat schema, one by one. `undefined`: the input has ended before the form was full. */
export async function fillForm(schema: unknown, { say, line }: Conversation): Promise<JsonObject | undefined> {
  const { properties, required } = isObject(schema) ? schema : {}
  const content: JsonObject = {}
  for (const [name, property] of Object.entries(isObject(properties) ? properties : {})) {
    const field = isObject(property) ? property : {}
    const mustBe = Array.isArray(required) && required.includes(name)
    for (;;) {
      const given = await line(`  ${plain(name)}${describe(field, mustBe)}: `)
      if (given === undefined) return undefined
      const value = given.trim() === '' ? field['default'] : valueOf(given.trim(), field)
      if (value !== undefined) Object.defineProperty(content, name, { value, enumerable: true, configurable: true })
      if (value !== undefined || (!mustBe && given.trim() === '')) break
      const choices = choicesOf(field)
      say(choices ? `  write one of ${choices.join(', ')}\n` : `  that is no ${textOf(field['type'])}\n`)
    }
  }
  return content
}

function describe(field: JsonObject, mustBe: boolean): string {
  const choices = choicesOf(field)
  const parts = [
    textOf(field['title'] ?? field['description'] ?? ''),
    choices ? choices.join(' | ') : textOf(field['type'] ?? ''),
    field['default'] === undefined ? (mustBe ? '' : 'may be left out') : `default ${JSON.stringify(field['default'])}`,
  ].filter((part) => part !== '')
  return parts.length === 0 ? '' : plain(` (${parts.join(', ')})`)
}

function choicesOf({ enum: values, oneOf }: JsonObject): string[] | undefined {
  if (Array.isArray(values)) return values.map(textOf)
  if (!Array.isArray(oneOf)) return undefined
  return oneOf.flatMap((one) => (isObject(one) && typeof one['const'] === 'string' ? [one['const']] : []))
}

/** `undefined`: the text is not of the field's type. */
function valueOf(text: string, field: JsonObject): JsonValue | undefined {
  switch (field['type']) {
    case 'boolean':
      if (/^(?:y|yes|true)$/iu.test(text)) return true
      return /^(?:n|no|false)$/iu.test(text) ? false : undefined
    case 'integer':
    case 'number': {
      const number = Number(text)
      return Number.isFinite(number) && (field['type'] === 'number' || Number.isInteger(number)) ? number : undefined
    }
    case 'array':
      return text.split(',').map((one) => one.trim())
    default: {
      const choices = choicesOf(field)
      return choices && !choices.includes(text) ? undefined : text
    }
  }
}

/** What is no text, as JSON. */
const textOf = (value: unknown): string =>
  typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value)
