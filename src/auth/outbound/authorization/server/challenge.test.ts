import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bearerChallenge } from './challenge.ts'

test.each([
  ['Bearer', { resourceMetadata: undefined, scopes: [], error: undefined }],
  [
    'Bearer resource_metadata="https://a/b", scope="x y", error=invalid_token',
    { resourceMetadata: 'https://a/b', scopes: ['x', 'y'], error: 'invalid_token' },
  ],
  ['bearer SCOPE = "x"', { scopes: ['x'] }],
  ['Basic realm="Bearer scope=evil", Bearer scope="x"', { scopes: ['x'] }],
  ['Bearer scope="x", Basic realm="r", scope="y"', { scopes: ['x'] }],
  ['Bearer scope="x", scope="y"', { scopes: ['x'] }],
  ['Bearer realm="a \\"quoted\\" one", scope="x"', { scopes: ['x'] }],
  ['Bearer scope="x', { scopes: [] }],
])('%s', (header, expected) => {
  expect(bearerChallenge(header)).toMatchObject(expected)
})

test.each([undefined, '', 'Basic realm="x"', 'Negotiate abc==', `Bearer scope="${'x'.repeat(9000)}"`])(
  'no challenge: %s',
  (header) => {
    expect(bearerChallenge(header)).toBeUndefined()
  },
)

test('no header takes long or throws', () => {
  const parts = fc.constantFrom('Bearer', ' ', ',', '=', '"', '\\', 'scope', 'x', '\t', '(')
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 400 }), (texts) => {
      const begun = performance.now()
      bearerChallenge(texts.join(''))
      expect(performance.now() - begun).toBeLessThan(100)
    }),
  )
})
