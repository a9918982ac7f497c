import type { IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import { isRepeated } from './repeated.ts'

const request = (...rawHeaders: string[]) => ({ rawHeaders }) as IncomingMessage

test('a header is repeated when it comes twice, however it is written', () => {
  expect(isRepeated(request('Host', 'a', 'HOST', 'a'), 'host')).toBe(true)
  expect(isRepeated(request('Host', 'a', 'X', 'host', 'Most', 'b'), 'host')).toBe(false)
  expect(isRepeated(request(), 'host')).toBe(false)
})
