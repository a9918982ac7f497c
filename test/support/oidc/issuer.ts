import type { Issuer } from '../../../src/model/issuer.ts'

/** The issuer of a configuration that says nothing more than `more`. */
export const issuerOf = (name: string, more: Partial<Issuer> = {}): Issuer => ({
  name,
  audiences: [],
  scopes: [],
  requiredScopes: [],
  subjectPrefix: '',
  allowHttp: false,
  allowPrivate: false,
  ...more,
})
