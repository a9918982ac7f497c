import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { confirm } from './confirm.ts'

function asked(typed: string, { ends = false, terminal = false } = {}) {
  const input = new PassThrough()
  const output = Object.assign(new PassThrough(), { isTTY: terminal })
  const answer = confirm('Write? ', { input, output })
  if (ends) input.end(typed)
  else input.write(typed)
  return answer
}

test.each([
  ['y\n', 'yes'],
  [' Yes \n', 'yes'],
  ['n\n', 'no'],
  ['yesterday\n', 'no'],
  ['\n', 'no'],
])('%o means %s', async (typed, answer) => {
  expect(await asked(typed)).toBe(answer)
})

test('the end of the input is a no', async () => {
  expect(await asked('', { ends: true })).toBe('no')
})

test('Ctrl-C at a terminal interrupts', async () => {
  expect(await asked('\u0003', { terminal: true })).toBe('interrupted')
})
