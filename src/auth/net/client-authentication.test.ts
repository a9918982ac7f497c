import { expect, test } from 'vitest'
import type { OAuthClient } from '../../model/credential.ts'
import { Secret } from '../../model/secret.ts'
import { clientAuthentications } from './client-authentication.ts'

const SECRET: OAuthClient = { id: 'a-b c', secret: new Secret('s:ä-1') }
const IN_HEADER = { authorization: `Basic ${Buffer.from('a-b+c:s%3A%C3%A4-1').toString('base64')}` }
const IN_FORM = { client_id: 'a-b c', client_secret: 's:ä-1' }

test.each<[string, OAuthClient | undefined, readonly string[] | undefined, object[]]>([
  ['nobody', undefined, undefined, [{}]],
  ['public', { id: 'p' }, ['client_secret_basic'], [{ client_id: 'p' }]],
  ['a secret, methods not known', SECRET, undefined, [IN_HEADER, IN_FORM]],
  ['a secret, both', SECRET, ['client_secret_post', 'client_secret_basic'], [IN_HEADER]],
  ['a secret, form alone', SECRET, ['client_secret_post'], [IN_FORM]],
  ['a secret, neither', SECRET, ['tls_client_auth'], [IN_HEADER]],
])('%s', async (_what, client, methods, expected) => {
  const shown = clientAuthentications({ client, methods, audience: 'https://as.example' }, () => 0).map(
    async (show) => {
      const [form, headers] = [new URLSearchParams(), new Headers()]
      await show(form, headers)
      return Object.fromEntries([...form, ...headers])
    },
  )
  expect(await Promise.all(shown)).toEqual(expected)
})
