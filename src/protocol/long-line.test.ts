import { expect, test } from 'vitest'
import { idOfLong } from './long-line.ts'

test.each([
  ['{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"a":"', '"}}', '5'],
  ['{"jsonrpc":"2.0","method":"tools/call","id":"a\\"b","params":{"a":"', '"}}', '"a\\"b"'],
  ['{"method":"tools/call","params":{"a":"', '"}},"jsonrpc":"2.0","id":7}\r', '7'],
  ['{"method":"tools/call","params":{"a":"', '"}},"id":-7,"jsonrpc":"2.0"}', '-7'],
  ['{"method":"tools/call","params":{"id":4,"a":"', '"}}', 'null'],
  ['{"method":"tools/call","params":{"a":"', '","id":7}}', 'null'],
  ['{"jsonrpc":"2.0","id":5,"result":{"a":"', '"}}', 'null'],
  ['aaaa', 'aaaa', 'null'],
])('%s … %s: %s', (head, tail, id) => {
  expect(idOfLong({ head, tail })).toBe(id)
})
