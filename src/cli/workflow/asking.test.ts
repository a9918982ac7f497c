import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { Cancellation } from '../../model/cancellation.ts'
import type { JsonObject } from '../../model/json.ts'
import { askingAt } from './asking.ts'

const FORM = {
  type: 'object',
  properties: {
    ok: { type: 'boolean' },
    count: { type: 'integer', default: 3 },
    colour: { type: 'string', enum: ['red', 'green'] },
    note: { type: 'string' },
  },
  required: ['ok', 'colour'],
}

async function answer(lines: string, params: JsonObject = { message: 'Go?', requestedSchema: FORM }, ready = {}) {
  const [input, output] = [new PassThrough(), new PassThrough()]
  let said = ''
  output.on('data', (chunk) => (said += chunk))
  const { ask, close } = askingAt({ input, output }, ready)
  input.end(lines)
  const given = await ask({ method: 'elicitation/create', params }, new Cancellation())
  close()
  return { given, said }
}

test('a form is filled in field by field, and asked again for what does not fit', async () => {
  const { given, said } = await answer('y\nmaybe\nyes\n\nblue\ngreen\n\n')
  expect(given).toEqual({ action: 'accept', content: { ok: true, count: 3, colour: 'green' } })
  expect(said).toContain('that is no boolean')
  expect(said).toContain('colour (red | green)')
})

test.each([
  ['n\n', { action: 'decline' }],
  ['c\n', { action: 'cancel' }],
  ['', { action: 'cancel' }],
  ['y\nyes\n', { action: 'cancel' }],
])('%j', async (lines, expected) => {
  expect((await answer(lines)).given).toEqual(expected)
})

test('a link is shown', async () => {
  const { given, said } = await answer('y\n', { mode: 'url', url: 'https://a.example', message: 'Look' })
  expect(given).toEqual({ action: 'accept' })
  expect(said).toContain('https://a.example')
})

test('what stands in a question cannot rewrite the terminal', async () => {
  expect((await answer('n\n', { message: '\u001b[2Jhello' })).said).not.toContain('\u001b')
})

test('prepared answers come first, by step', async () => {
  const ready = { approve: { action: 'decline' } }
  const { given } = await answer('', { message: 'Go?', _meta: { 'vmcp/step': 'approve' } }, ready)
  expect(given).toEqual({ action: 'decline' })
})

test('questions come one after the other', async () => {
  const [input, output] = [new PassThrough(), new PassThrough()]
  output.resume()
  const { ask, close } = askingAt({ input, output })
  const question = { method: 'elicitation/create', params: { message: 'Go?' } }
  const both = Promise.all([ask(question, new Cancellation()), ask(question, new Cancellation())])
  input.write('y\n')
  input.write('n\n')
  expect(await both).toEqual([{ action: 'accept', content: {} }, { action: 'decline' }])
  close()
})
