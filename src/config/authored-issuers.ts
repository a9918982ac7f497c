import type { Step } from './positions.ts'
import type { AuthoredConfig } from './schema.ts'

type AuthoredOidc = NonNullable<NonNullable<AuthoredConfig['incomingAuth']>['oidc']>
export type AuthoredIssuer = Exclude<AuthoredOidc, readonly unknown[]>

/** The issuers of incoming tokens, each with its place: the section is one, or a list of several. */
export function authoredIssuers({ incomingAuth }: AuthoredConfig): { block: AuthoredIssuer; steps: Step[] }[] {
  const oidc = incomingAuth?.oidc
  const at = ['incomingAuth', 'oidc']
  if (oidc === undefined) return []
  return Array.isArray(oidc)
    ? oidc.map((block, index) => ({ block, steps: [...at, index] }))
    : [{ block: oidc, steps: at }]
}

/** The address by which clients know the gateway; `resource` is another spelling of it. */
export function publicUrlOf(config: AuthoredConfig): string | undefined {
  return config.publicUrl ?? authoredIssuers(config).find(({ block }) => block.resource !== undefined)?.block.resource
}
