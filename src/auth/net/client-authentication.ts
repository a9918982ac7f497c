import type { OAuthClient } from '../../model/credential.ts'
import { createClientAssertion } from './client-assertion.ts'

/** Writes into a request who the client is (RFC 6749 section 2.3): into its form, or into its headers. */
export type ClientAuthentication = (form: URLSearchParams, headers: Headers) => void | Promise<void>

/** Where and as whom a client shows itself. */
export interface ClientPresence {
  /** Absent: the client does not say who it is. */
  readonly client: OAuthClient | undefined
  /** `..._endpoint_auth_methods_supported`. Absent: not known, so a secret is tried in the header, then in the form. */
  readonly methods?: readonly string[] | undefined
  /** Of assertions: the issuer, or the endpoint. */
  readonly audience: string
}

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** The ways to show it, at least one, the likeliest first. Throws an `Error` for a private key that cannot sign. */
export function clientAuthentications(
  { client, methods, audience }: ClientPresence,
  now: () => number,
): readonly [ClientAuthentication, ...ClientAuthentication[]] {
  if (!client) return [() => {}]
  const { id, secret, privateKey } = client
  if (privateKey) {
    const assertion = createClientAssertion(privateKey.reveal())
    return [
      async (form) => {
        form.set('client_id', id)
        form.set('client_assertion_type', ASSERTION_TYPE)
        form.set('client_assertion', await assertion(id, audience, now()))
      },
    ]
  }
  if (!secret) return [(form) => form.set('client_id', id)]
  const basic: ClientAuthentication = (_form, headers) =>
    headers.set('authorization', `Basic ${basicCredentials(id, secret.reveal())}`)
  const post: ClientAuthentication = (form) => {
    form.set('client_id', id)
    form.set('client_secret', secret.reveal())
  }
  if (methods === undefined) return [basic, post]
  return [methods.includes('client_secret_post') && !methods.includes('client_secret_basic') ? post : basic]
}

/** RFC 6749 section 2.3.1. Dashes are not escaped, as they are by `oauth4webapi`: some servers do not undo that. */
const basicCredentials = (id: string, secret: string): string =>
  Buffer.from(`${formEncoded(id)}:${formEncoded(secret)}`).toString('base64')

const formEncoded = (text: string): string => new URLSearchParams({ '': text }).toString().slice(1)
