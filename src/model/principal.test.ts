import { expect, test } from 'vitest'
import { identityKey, identityOf } from './principal.ts'

test.each(['app', undefined])('a key says whom it stands for: %s', (client) => {
  const [issuer, subject] = ['https://id.example', 'a "b"\n[]']
  expect(identityOf(identityKey(issuer, subject, client))).toEqual({ issuer, subject, client })
})

test.each(['', 'local', 'null', '{}', '[]', '["i","s"]', '["i",1,null]', '["i","s",1]', '["i","s",null,null]'])(
  'is no key: %s',
  (text) => {
    expect(identityOf(text)).toBeUndefined()
  },
)
