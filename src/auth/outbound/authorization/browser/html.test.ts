import fc from 'fast-check'
import { expect, test } from 'vitest'
import { escaped, page } from './html.ts'

test('no text becomes markup', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('<', '>', '&', '"', "'", 'a', '/', '=') }), (text) => {
      expect(escaped(text)).not.toMatch(/[<>"']|&(?!amp;|lt;|gt;|quot;|#39;)/u)
      const { body } = page(200, { title: text, lines: [text], link: { text, href: text } })
      const tags = [...body.matchAll(/<\/?(\w+)/gu)].map(([, name]) => name)
      expect(new Set(tags)).toEqual(new Set(['html', 'meta', 'title', 'style', 'h1', 'p', 'a']))
    }),
  )
})

test('every page forbids what it does not need', () => {
  expect(page(200, { title: 'x', lines: [] }).headers).toEqual({
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'content-type': 'text/html; charset=utf-8',
  })
})
