import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

import { exportJWK, generateKeyPair, SignJWT } from 'jose'

/** An issuer of tokens with its keys, and an endpoint that exchanges them (RFC 8693). */
export interface Issuer {
  url: string
  jwksUrl: string
  tokenUrl: string
  /** A token of the user with this number, for this endpoint, good for an hour. */
  tokenOf(user: number): Promise<string>
  stop: () => Promise<void>
}

export const PUBLIC_URL = 'https://mcp.example/mcp'
/** More than the groups of most people, and a token of common size: some 700 bytes. */
const GROUPS = Array.from({ length: 8 }, (_, index) => `team-${index}`)

export const claimsOf = (user: number) => ({
  sub: `user-${user}`,
  client_id: 'bench',
  scope: 'mcp',
  email: `user-${user}@mcp.example`,
  department: `department-${user % 4}`,
  groups: GROUPS,
})

export async function startIssuer(): Promise<Issuer> {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'bench', alg: 'ES256', use: 'sig' }] })
  let exchanged = 0
  const server = createServer((request, response) => {
    request.resume()
    const token = {
      access_token: `exchanged-${++exchanged}-${'x'.repeat(600)}`,
      token_type: 'Bearer',
      expires_in: 3600,
    }
    response.setHeader('Content-Type', 'application/json')
    response.end(request.method === 'POST' ? JSON.stringify(token) : jwks)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    jwksUrl: `${url}/jwks`,
    tokenUrl: `${url}/token`,
    tokenOf: (user) =>
      new SignJWT(claimsOf(user))
        .setProtectedHeader({ alg: 'ES256', kid: 'bench' })
        .setIssuer(url)
        .setAudience(PUBLIC_URL)
        .setIssuedAt()
        .setExpirationTime('1h')
        .sign(privateKey),
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export const oidcOf = ({ url, jwksUrl }: Issuer) => ({
  issuer: url,
  jwksUrl,
  insecureAllowHttp: true,
  jwksAllowPrivateIp: true,
})

/** Never empty: what is measured is a call that passes. */
const BUCKET = { maxTokens: 1_000_000_000, refillPeriod: '1s' }
export const LIMITS = { shared: BUCKET, perUser: BUCKET, tools: [{ name: 'echo', shared: BUCKET, perUser: BUCKET }] }

const COUNT = 20
const twenty = (policy: (index: number) => string): string[] => Array.from({ length: COUNT }, (_, i) => policy(i))
const CALL = 'action == Action::"call_tool"'

/** Twenty that apply to `echo` and look at the caller and the tool: the decision can be remembered. */
export const CACHED_POLICIES = twenty((i) =>
  i % 5 === 4
    ? `forbid(principal, ${CALL}, resource == Tool::"echo") when { principal has claim_email && principal.claim_email like "*@banned-${i}.example" };`
    : `permit(principal in THVGroup::"team-${i % 8}", ${CALL}, resource == Tool::"echo") when { principal has claim_department && principal.claim_department like "department-*" && resource.name like "e*" };`,
)

/** Twenty that apply to `echo` and look at its argument: each call is decided anew. */
export const ARGUMENT_POLICIES = twenty((i) =>
  i % 5 === 4
    ? `forbid(principal, ${CALL}, resource == Tool::"echo") when { context has arg_text && context.arg_text like "forbidden-${i}*" };`
    : `permit(principal, ${CALL}, resource == Tool::"echo") when { principal has claim_department && principal.claim_department like "department-*" && context has arg_text && context.arg_text like "${i === 0 ? 'text-' : `other-${i}-`}*" };`,
)

export const LARGE = { backends: 50, toolsEach: 20 } as const
const EACH = 17
const OF_TOOLS = 148

/**
 * A thousand, of which 20 at most apply to one tool: two to all, 17 to the tools of each backend, the others to single
 * tools. All look at the tool and most at the caller, so that no tool's decision serves for another's.
 */
export function largePolicies(): string[] {
  const policies = [
    `forbid(principal, ${CALL}, resource) when { resource has destructiveHint && resource.destructiveHint && resource.name like "*_19" };`,
    `forbid(principal, ${CALL}, resource) when { principal has claim_department && principal.claim_department == "suspended" };`,
  ]
  for (let backend = 0; backend < LARGE.backends; backend++) {
    const on = `${CALL}, resource in Backend::"b${backend}"`
    for (let i = 0; i < EACH; i++) policies.push(ofBackend(i, on))
  }
  for (let i = 0; i < OF_TOOLS; i++) {
    const name = toolName(i % LARGE.backends, Math.floor(i / LARGE.backends))
    policies.push(
      `permit(principal, ${CALL}, resource == Tool::"${name}") when { principal has claim_email && principal.claim_email like "*@mcp.example" };`,
    )
  }
  return policies
}

export const toolName = (backend: number, tool: number): string => `b${backend}_tool_${tool}`

function ofBackend(i: number, on: string): string {
  const isDepartment = `principal has claim_department && principal.claim_department like "department-${i % 4}*"`
  if (i % 6 === 5) return `forbid(principal, ${on}) when { ${isDepartment} && resource.name like "*_tool_${i}" };`
  if (i % 6 === 4)
    return `permit(principal, ${on}) when { ${isDepartment} && resource.name like "*_tool_1*" && context has arg_n && context.arg_n < ${i} };`
  if (i % 6 === 3)
    return `permit(principal in THVGroup::"team-${i % 8}", ${on}) when { resource.name like "*_tool_${i}*" };`
  return `permit(principal, ${on}) when { ${isDepartment} && resource has readOnlyHint && resource.readOnlyHint && resource.name like "*_tool_${i}*" };`
}
