import { Secret } from '../model/secret.ts'

/** Keys of the schema whose text must never be printed. */
const SECRET_KEYS = ['clientSecret', 'headerValue', 'idpClientSecret', 'targetClientSecret', 'value'] as const
type SecretKey = (typeof SECRET_KEYS)[number]

/** A section with its secrets wrapped. */
export type Concealed<T> = T extends string | number | boolean | null | undefined
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Concealed<Item>[]
    : { readonly [Key in keyof T]: Key extends SecretKey ? Secret | Extract<T[Key], undefined> : Concealed<T[Key]> }

/** Wraps every secret of an authentication section, however deep. */
export function conceal<T>(section: T): Concealed<T> {
  return wrap(section, undefined) as Concealed<T>
}

function wrap(value: unknown, key: string | undefined): unknown {
  if (typeof value === 'string' && SECRET_KEYS.some((secret) => secret === key)) return new Secret(value)
  if (Array.isArray(value)) return value.map((item) => wrap(item, undefined))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, wrap(inner, name)]))
}
