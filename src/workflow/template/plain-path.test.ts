import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { parseBlock } from './handlebars-ast.ts'
import { plainPath } from './plain-path.ts'

const TAKEN = ['this', 'true', 'false', 'null', 'undefined', 'else', 'as']
const name = fc.oneof(
  fc.constantFrom('params', 'steps', '_', 'a1', 'A_b', 'thisOne', 'nullable', 'asset', '__proto__', 'constructor'),
  fc.constantFrom(...TAKEN, '', '0', '1a', 'a-b', 'é', '@root', '[x]', '..', 'a b', 'a=b', '|'),
  fc.stringMatching(/^[A-Za-z_]\w{0,8}$/),
)
const blank = fc.constantFrom('', ' ', '\t', '  ', '\n')

test('a plain path is what the parser says', () => {
  let plain = 0
  fc.assert(
    fc.property(blank, fc.array(name, { minLength: 1, maxLength: 4 }), blank, (before, names, after) => {
      const inner = `${before}${names.join('.')}${after}`
      const found = plainPath(inner, 5)
      if (!found) return
      plain++
      const { params, hash, program } = parseBlock(`{{#x ${inner}}}{{/x}}`)
      expect({ params, hash, blockParams: program.blockParams }).toMatchObject({
        params: [found],
        hash: undefined,
        blockParams: undefined,
      })
    }),
    { numRuns: 2_000 },
  )
  expect(plain).toBeGreaterThan(100)
})

test.each([...TAKEN, 'a.this', 'a b', 'a-b', '.a', 'a.', '', 'a\n', '@index', '1', 'a..b', '"a"'])(
  'and %j is none',
  (inner) => {
    expect(plainPath(inner, 0)).toBeUndefined()
  },
)
