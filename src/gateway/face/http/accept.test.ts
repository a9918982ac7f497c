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
  ['application/json, text/event-stream;q=0', true, false],
  ['Application/JSON; q=0.000, */*', false, true],
  ['application/json;q=0.01, text/event-stream;q=0;x=y', true, false],
  ['*/*;q=0', false, false],
  ['application/jsonp, text/event-streams, x-application/json', false, false],
  ['image/*', false, false],
])('%s: json %s, events %s', (accept, json, events) => {
  // Twice: the latest answer is remembered.
  expect([acceptedTypes(accept), acceptedTypes(accept)]).toEqual([
    { json, events },
    { json, events },
  ])
})
