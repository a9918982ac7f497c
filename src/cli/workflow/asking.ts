import { createInterface } from 'node:readline/promises'
import type { Ask } from '../../model/call.ts'
import type { JsonObject, JsonValue } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import { plain } from '../terminal.ts'

export interface Terminal {
  input: NodeJS.ReadableStream
  output: NodeJS.WritableStream
}

const ELICIT = 'elicitation/create'
const CANCEL: JsonObject = { action: 'cancel' }

/**
 * Puts questions to a person at a terminal, one after the other. The end of the input cancels. `prepared` answers by step id
 * come first; each is used once for each time that its step asks.
 */
export function askingAt(terminal: Terminal, prepared: JsonObject = {}): { ask: Ask; close: () => void } {
  const lines = createInterface({ input: terminal.input, output: terminal.output, terminal: false })
  const waiting: ((line: string | undefined) => void)[] = []
  const read: (string | undefined)[] = []
  const give = (line: string | undefined): void => {
    const next = waiting.shift()
    if (next) next(line)
    else read.push(line)
  }
  let isOver = false
  lines.on('line', give)
  lines.once('close', () => {
    isOver = true
    for (const next of waiting.splice(0)) next(undefined)
  })
  const say = (text: string): void => void terminal.output.write(text)
  const line = async (prompt: string): Promise<string | undefined> => {
    say(prompt)
    if (read.length > 0) return read.shift()
    return isOver ? undefined : new Promise((resolve) => waiting.push(resolve))
  }
  let last: Promise<unknown> = Promise.resolve()
  const ask: Ask = ({ method, params }) => {
    const answer = last.then(() => answerTo(method, params, prepared, say, line))
    last = answer.catch(() => {})
    return answer
  }
  return { ask, close: () => lines.close() }
}

type Line = (prompt: string) => Promise<string | undefined>

async function answerTo(
  method: string,
  params: JsonObject,
  prepared: JsonObject,
  say: (text: string) => void,
  line: Line,
): Promise<JsonObject> {
  if (method !== ELICIT) throw new Error(`${method} cannot be answered on a terminal`)
  const step = isObject(params['_meta']) ? params['_meta']['vmcp/step'] : undefined
  const ready = typeof step === 'string' && Object.hasOwn(prepared, step) ? prepared[step] : undefined
  const message = textOf(params['message']).split('\n').map(plain).join('\n')
  say(`\n${typeof step === 'string' ? `${plain(step)}: ` : ''}${message}\n`)
  if (isObject(ready)) {
    say(`  (answered: ${JSON.stringify(ready)})\n`)
    return ready
  }
  if (params['mode'] === 'url') say(`  ${plain(textOf(params['url']))}\n`)
  const action = await choice(line)
  if (action !== 'accept' || params['mode'] === 'url') return { action }
  const content = await fill(params['requestedSchema'], say, line)
  return content ? { action: 'accept', content } : CANCEL
}

const CHOICES: Readonly<Record<string, string>> = {
  y: 'accept',
  yes: 'accept',
  n: 'decline',
  no: 'decline',
  c: 'cancel',
  cancel: 'cancel',
}

/** Nothing is agreed to by a slip: what is none of the words is asked again. */
async function choice(line: Line): Promise<string> {
  for (;;) {
    const given = (await line('  answer? [y]es, [n]o, [c]ancel: '))?.trim().toLowerCase()
    if (given === undefined) return 'cancel'
    const action = Object.hasOwn(CHOICES, given) ? CHOICES[given] : undefined
    if (action !== undefined) return action
  }
}

/** `undefined`: the input has ended before the form was full. */
async function fill(schema: unknown, say: (text: string) => void, line: Line): Promise<JsonObject | undefined> {
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

const textOf = (value: unknown): string =>
  typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value)
