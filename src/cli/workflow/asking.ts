import type { Ask } from '../../model/call.ts'
import type { JsonObject } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import { VENDOR_META } from '../../protocol/envelope.ts'
import { plain } from '../terminal.ts'
import { type Conversation, conversationAt, type Terminal } from './conversation.ts'
import { fillForm } from './form.ts'

const ELICIT = 'elicitation/create'

/**
 * Puts questions to a person at a terminal, one after the other. The end of the input cancels. `prepared` answers by step id
 * come first; each is used once for each time that its step asks.
 */
export function askingAt(terminal: Terminal, prepared: JsonObject = {}): { ask: Ask; close: () => void } {
  const conversation = conversationAt(terminal)
  let last: Promise<unknown> = Promise.resolve()
  const ask: Ask = ({ method, params }) => {
    const answer = last.then(() => answerTo(method, params, prepared, conversation))
    last = answer.catch(() => {})
    return answer
  }
  return { ask, close: conversation.close }
}

async function answerTo(
  method: string,
  params: JsonObject,
  prepared: JsonObject,
  conversation: Conversation,
): Promise<JsonObject> {
  if (method !== ELICIT) throw new Error(`${method} cannot be answered on a terminal`)
  const { say } = conversation
  const step = isObject(params['_meta']) ? params['_meta'][VENDOR_META.step] : undefined
  const ready = typeof step === 'string' && Object.hasOwn(prepared, step) ? prepared[step] : undefined
  const message = textIn(params['message']).split('\n').map(plain).join('\n')
  say(`\n${typeof step === 'string' ? `${plain(step)}: ` : ''}${message}\n`)
  if (isObject(ready)) {
    say(`  (answered: ${JSON.stringify(ready)})\n`)
    return ready
  }
  const isLink = params['mode'] === 'url'
  if (isLink) say(`  ${plain(textIn(params['url']))}\n`)
  const action = await choice(conversation)
  if (action !== 'accept' || isLink) return { action }
  const content = await fillForm(params['requestedSchema'], conversation)
  return content ? { action, content } : { action: 'cancel' }
}

const textIn = (value: unknown): string => (typeof value === 'string' ? value : '')

const CHOICES: Readonly<Record<string, string>> = {
  y: 'accept',
  yes: 'accept',
  n: 'decline',
  no: 'decline',
  c: 'cancel',
  cancel: 'cancel',
}

/** Nothing is agreed to by a slip: what is none of the words is asked again. */
async function choice({ line }: Conversation): Promise<string> {
  for (;;) {
    const given = (await line('  answer? [y]es, [n]o, [c]ancel: '))?.trim().toLowerCase()
    if (given === undefined) return 'cancel'
    const action = Object.hasOwn(CHOICES, given) ? CHOICES[given] : undefined
    if (action !== undefined) return action
  }
}
