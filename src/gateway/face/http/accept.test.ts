import { expect, test } from 'vitest'
import { acceptedTypes } from './accept.ts'

test.each([
  [undefined, true, true],
  ['*/*', true, true],
  ['application/json, text/event-stream', true, true],
  ['APPLICATION/JSON;q=0.1', true, false],
  ['application/*', true, false],
  ['text/*', false, true],
  ['text/event-stream', false, true],
  ['', false, false],
  ['application/jsonp, text/event-streams, x-application/json', false, false],
  ['image/*', false, false],
])('%s: json %s, events %s', (accept, json, events) => {
  // Twice: the latest answer is remembered.
  expect([acceptedTypes(accept), acceptedTypes(accept)]).toEqual([
    { json, events },
    { json, events },
  ])
})
