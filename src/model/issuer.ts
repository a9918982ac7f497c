import type { Secret } from './secret.ts'

/** One issuer whose tokens are accepted. */
export interface Issuer {
  /** Compared letter by letter. */
  readonly name: string
  /** A token must name one of them: spellings of this endpoint. */
  readonly audiences: readonly string[]
  /** Told to clients. */
  readonly scopes: readonly string[]
  readonly requiredScopes: readonly string[]
  readonly subjectPrefix: string
  readonly jwksUrl?: string
  readonly introspectionUrl?: string
  readonly clientId?: string
  readonly clientSecret?: Secret
  readonly allowHttp: boolean
  readonly allowPrivate: boolean
  /** PEM file of additional authorities. */
  readonly caFile?: string
  /** File with the bearer token that its documents need. */
  readonly bearerFile?: string
}

/** What is wrong with one of several issuers; `at`: the keys of the configuration that lead from it to the value. */
export interface IssuerFault {
  readonly index: number
  readonly at: readonly (string | number)[]
  readonly message: string
  readonly hint: string
}

/** RFC 6749 section 3.3. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/u

/** What would let in strangers, confuse people or show tokens of one issuer to another. */
export function issuerFaults(issuers: readonly Issuer[]): readonly IssuerFault[] {
  const seen = { names: new Set<string>(), prefixes: new Set<string>(), introspection: false }
  return issuers.flatMap((issuer, index) => {
    const { name, audiences, scopes, requiredScopes, subjectPrefix, introspectionUrl } = issuer
    const faults: IssuerFault[] = []
    const add = (at: IssuerFault['at'], message: string, hint: string) => faults.push({ index, at, message, hint })
    if (!URL.canParse(name)) add(['issuer'], 'the issuer is no URL', 'write it as it stands in its tokens')
    if (seen.names.has(name)) add(['issuer'], 'the issuer is listed twice', 'join the two')
    else if (seen.prefixes.has(subjectPrefix)) {
      const hint = 'equal subjects of two issuers would else be one person'
      add(['subjectPrefix'], 'several issuers need a different subjectPrefix each', hint)
    }
    if (audiences.length === 0) {
      add([], 'an audience is needed, or tokens for other services would be accepted', 'set audience or publicUrl')
    }
    for (const [key, list] of Object.entries({ scopes, requiredScopes })) {
      for (const [place, scope] of list.entries()) {
        if (SCOPE.test(scope)) continue
        add([key, place], 'a scope holds characters that a scope cannot have, such as a space', 'list each by itself')
      }
    }
    if (introspectionUrl !== undefined && seen.introspection) {
      const hint = 'tokens of one must not be shown to another'
      add(['introspectionUrl'], 'only one issuer may have an introspectionUrl', hint)
    }
    seen.names.add(name)
    seen.prefixes.add(subjectPrefix)
    seen.introspection ||= introspectionUrl !== undefined
    return faults
  })
}

/** Whether a text can be the address of a protected resource: an absolute URL without a fragment (RFC 9728 section 1.2). */
export const isResource = (text: string): boolean => URL.canParse(text) && !text.includes('#')
