declare const brand: unique symbol
type Branded<Name extends string> = string & { readonly [brand]: Name }

/** Name of a backend, unique within one configuration. */
export type BackendId = Branded<'BackendId'>
/** Name of a tool or prompt as clients see it. Minted only in `aggregation`. */
export type ShownName = Branded<'ShownName'>
/** Name of a tool or prompt as its backend knows it. Minted only in `aggregation`. */
export type NativeName = Branded<'NativeName'>
/** `Mcp-Session-Id` of a legacy client of ours. It is a bearer secret: never log it whole. */
export type SessionId = Branded<'SessionId'>
/**
 * Who owns an upstream connection: a legacy session, a principal (modern callers keep no session), or everybody.
 * Two callers with different owners never share an upstream of a `perSession` backend.
 */
export type OwnerKey = Branded<'OwnerKey'>

export const backendId = (name: string): BackendId => name as BackendId
export const sessionOwner = (id: SessionId): OwnerKey => `session:${id}` as OwnerKey
export const principalOwner = (key: string): OwnerKey => `principal:${key}` as OwnerKey
/** Whether one person stands behind all calls of this owner. Anonymous callers share an owner and are strangers. */
export const isOneClient = (owner: OwnerKey): boolean =>
  owner.startsWith('session:') || (owner.startsWith('principal:') && owner !== principalOwner('anonymous'))
/** The owner of the gateway's own listing connections, and of every connection of a `shared` backend. */
export const GATEWAY_OWNER = 'gateway' as OwnerKey
