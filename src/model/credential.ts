import { GatewayError } from './errors.ts'
import type { Principal } from './principal.ts'
import type { Secret } from './secret.ts'

/** Who the gateway is at an authorization server. */
export interface OAuthClient {
  id: string
  /** Absent with a key, and for public clients. */
  secret?: Secret
  /** PEM (PKCS #8) of the key that signs its assertions: `private_key_jwt` (RFC 7523). */
  privateKey?: Secret
}

/** What an HTTP backend is shown besides its fixed headers. Addresses are the operator's own words. */
export type CredentialSpec =
  /** A token of the gateway's own (RFC 6749 section 4.4). Absent `tokenUrl`: found from the backend's metadata. */
  | {
      kind: 'client_credentials'
      tokenUrl?: string
      client: OAuthClient
      scopes: readonly string[]
      audience?: string
      allowPrivate?: boolean
    }
  /** The caller's token, exchanged for another one (RFC 8693). Without a caller: a token of the gateway's own. */
  | {
      kind: 'token_exchange'
      tokenUrl: string
      client?: OAuthClient
      audience?: string
      scopes: readonly string[]
      /** A URN of RFC 8693 section 3. */
      subjectTokenType: string
    }
  /** Enterprise-managed authorization: the caller's identity for an ID-JAG, that for a token of the target. */
  | {
      kind: 'id_jag'
      idp: { tokenUrl: string; client?: OAuthClient }
      target: { tokenUrl: string; client?: OAuthClient; audience: string; resource?: string }
      scopes: readonly string[]
      /** `id_token`: of the caller's sign-in at the connect page; `access_token`, `jwt`: what the caller showed us. */
      subjectTokenType: 'id_token' | 'access_token' | 'jwt'
    }
  /** Each user signs in once (OAuth 2.1 authorization code with PKCE). Absent `issuer`: found from the backend's metadata. */
  | {
      kind: 'authorization_code'
      issuer?: string
      client?: OAuthClient
      scopes?: readonly string[]
      /** Metadata and endpoints learnt from the backend may lead to private addresses. */
      allowPrivate?: boolean
      /** Nobody has said that users sign in there: the backend itself asks for it, or nothing is shown. */
      ifAsked?: boolean
    }

/** Where each user signs in before calls are made: at the backend, or at the issuer of what callers show. */
export function signInOf(spec: CredentialSpec): 'backend' | 'issuer' | undefined {
  switch (spec.kind) {
    case 'authorization_code':
      return 'backend'
    case 'id_jag':
      return spec.subjectTokenType === 'id_token' ? 'issuer' : undefined
    case 'client_credentials':
    case 'token_exchange':
      return undefined
  }
}

/** What a backend is shown of whoever calls it: made in `auth/outbound` for one backend, used by its connections. */
export interface Credential {
  /** Callers show something of their own: no connection and no list may serve two principals. */
  readonly perCaller: boolean
  /**
   * Header name, value, name, value. At once where it is known; empty when this caller has nothing to show.
   * Throws, or rejects with, `ConsentNeeded` and `CREDENTIAL_UNAVAILABLE`.
   */
  headers(principal: Principal): readonly string[] | Promise<readonly string[]>
  /**
   * The backend has answered 401 or 403 to what was shown. Whether there is now something else to show. Throws
   * `ConsentNeeded` when only the user can help.
   */
  refused(principal: Principal, answer: Refused): Promise<boolean>
  /**
   * Calls the listener when a principal has got something to show, or has lost it. `undefined`: everybody; until the
   * returned function is called.
   */
  subscribe(listener: (principal: string | undefined) => void): () => void
  /** Nobody uses it any more: nothing is heard of it after that. */
  close(): void
}

export interface Refused {
  status: 401 | 403
  /** `WWW-Authenticate`. */
  challenge: string | undefined
  /** What was shown, so that a token which has been replaced meanwhile is not dropped. */
  shown: readonly string[]
}

/** The user has to sign in somewhere before the call can be made. */
export class ConsentNeeded extends GatewayError<'CONSENT_NEEDED'> {
  /** Where the user goes: a page of the gateway's own. */
  readonly url: string
  /** Distinguishes this sign-in from others; means nothing to anybody. */
  readonly id: string
  /** Resolves when the user has signed in, or cannot any more. */
  readonly settled: Promise<void>

  constructor(message: string, { url, id, settled }: { url: string; id: string; settled: Promise<void> }) {
    super('CONSENT_NEEDED', message)
    this.url = url
    this.id = id
    this.settled = settled
  }
}
