import type { BackendSpec } from '../../../../model/backend.ts'
import type { CredentialSpec } from '../../../../model/credential.ts'
import { unavailable } from '../unavailable.ts'
import type { Target } from './discovery.ts'
import { trustOf } from './trust.ts'

export type AuthorizationCodeSpec = Extract<CredentialSpec, { kind: 'authorization_code' }>

/** `undefined`: it is no server at an address. */
export function addressOf({ endpoint }: BackendSpec): string | undefined {
  return endpoint.kind === 'http' || endpoint.kind === 'sse' ? endpoint.url : undefined
}

/** Where tokens for a backend come from. Throws `CREDENTIAL_UNAVAILABLE` when it needs none. */
export function targetOf(backend: BackendSpec): Target {
  const url = addressOf(backend)
  const { credential } = backend
  if (url === undefined || !credential) throw unavailable(`the backend "${backend.id}" is shown no token`)
  const issuer = credential.kind === 'authorization_code' ? credential.issuer : undefined
  const allowPrivate = 'allowPrivate' in credential && credential.allowPrivate
  return { url, issuer, trust: trustOf(url, issuer, allowPrivate) }
}

/** Throws `CREDENTIAL_UNAVAILABLE`. */
export function codeSpec(backend: BackendSpec): AuthorizationCodeSpec {
  if (backend.credential?.kind === 'authorization_code') return backend.credential
  throw unavailable(`users do not sign in at the backend "${backend.id}"`)
}
