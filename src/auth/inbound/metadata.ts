/** Protected resource metadata (RFC 9728 section 2). */
export interface ProtectedResourceMetadata {
  /** The address of the endpoint as clients configure it, letter by letter. */
  readonly resource: string
  readonly authorization_servers: readonly string[]
  readonly scopes_supported: readonly string[]
  readonly bearer_methods_supported: readonly ['header']
  readonly resource_name: string
}

const WELL_KNOWN = '/.well-known/oauth-protected-resource'

/** `resource` is `publicUrl` as configured: never made from a request, whose Host anybody may write. */
export function protectedResource(
  resource: string,
  name: string,
  issuers: readonly string[],
  scopes: readonly string[],
): ProtectedResourceMetadata {
  return {
    resource,
    authorization_servers: issuers,
    scopes_supported: scopes,
    bearer_methods_supported: ['header'],
    resource_name: name,
  }
}

/** The paths at which the document is looked for (RFC 9728 section 3.1): the root, and that of a resource with a path. */
export function metadataPaths(resource: string): readonly string[] {
  return [...new Set([WELL_KNOWN, wellKnownPath(new URL(resource))])]
}

/** Where a challenge sends clients. */
export function metadataUrl(resource: string): string {
  const url = new URL(resource)
  return `${url.origin}${wellKnownPath(url)}${url.search}`
}

const wellKnownPath = ({ pathname }: URL): string => (pathname === '/' ? WELL_KNOWN : `${WELL_KNOWN}${pathname}`)
