import { expect, test } from 'vitest'
import { type CredentialSpec, signInOf } from './credential.ts'

const jag = (subjectTokenType: 'id_token' | 'access_token' | 'jwt'): CredentialSpec => ({
  kind: 'id_jag',
  idp: { tokenUrl: 'https://i/' },
  target: { tokenUrl: 'https://t/', audience: 'a' },
  scopes: [],
  subjectTokenType,
})

test.each<[CredentialSpec, string | undefined]>([
  [{ kind: 'authorization_code' }, 'backend'],
  [jag('id_token'), 'issuer'],
  [jag('access_token'), undefined],
  [jag('jwt'), undefined],
  [{ kind: 'client_credentials', client: { id: 'c' }, scopes: [] }, undefined],
  [{ kind: 'token_exchange', tokenUrl: 'https://i/', scopes: [], subjectTokenType: 'x' }, undefined],
])('users sign in for %j at: %s', (spec, where) => {
  expect(signInOf(spec)).toBe(where)
})
