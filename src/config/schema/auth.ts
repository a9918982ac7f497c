import { z } from 'zod'
import { expected, headerName, name, path, text, texts, url, variable } from './primitives.ts'

const secretPair = (what: string) => ({
  clientSecret: z
    .string()
    .optional()
    .describe(`Client secret ${what}, as text; \${VAR} and \${file:PATH} are expanded. Prefer clientSecretEnv.`),
  clientSecretEnv: variable().optional().describe(`Environment variable that holds the client secret ${what}.`),
})

/** Keys by which the gateway proves itself at a token endpoint with a key instead of a secret. */
const privateKeyPair = (what: string) => ({
  privateKeyEnv: variable()
    .optional()
    .describe(`Environment variable that holds the private key ${what} (PEM): private_key_jwt instead of a secret.`),
  privateKeyFile: path().optional().describe(`PEM file of the private key ${what}, instead of privateKeyEnv.`),
})

const oidcSchema = z.strictObject({
  issuer: url().describe('Issuer of the tokens; its discovery document is read unless jwksUrl is given. Required.'),
  audience: z.string().optional().describe('Audience that a token must name. Required, or set publicUrl.'),
  clientId: z.string().optional().describe('Client id for introspection and the login of the connect page.'),
  ...secretPair('for introspection and the login of the connect page'),
  resource: url().optional().describe('Another spelling of publicUrl: the resource identifier (RFC 9728).'),
  jwksUrl: url().optional().describe('Key set of the issuer. Default: from discovery.'),
  introspectionUrl: url()
    .optional()
    .describe('RFC 7662 endpoint for tokens that are not JWTs. Default: from discovery.'),
  scopes: texts().optional().describe('Scopes advertised to clients. Default: ["openid"].'),
  requiredScopes: texts()
    .optional()
    .describe('Scopes a token must carry; without them 403 insufficient_scope. Default: [].'),
  subjectPrefix: z
    .string()
    .optional()
    .describe('Put before the subject of this issuer, so that several issuers cannot collide; none may begin another.'),
  caBundlePath: path()
    .optional()
    .describe('PEM file of additional authorities for the issuer, which must be there. Absolute.'),
  insecureAllowHttp: z
    .boolean()
    .optional()
    .describe('Allow an issuer over plain http, which is refused else. Default: false.'),
  jwksAllowPrivateIp: z
    .boolean()
    .optional()
    .describe('Allow an issuer and its keys at a private address, this machine included. Default: false.'),
  jwksAuthTokenPath: path()
    .optional()
    .describe('File with the bearer token that opens the key set, which must be there.'),
  protectedResourceAllowPrivateIp: z
    .boolean()
    .optional()
    .describe('Has no effect: the gateway fetches no protected-resource metadata for its callers.'),
  publicDiscovery: z.boolean().optional().describe('Show the catalogue to clients without a token. Default: false.'),
})

const authzSchema = z.strictObject({
  type: z.enum(['cedar', 'none']).describe('Policy language. Required.'),
  policies: texts().optional().describe('Cedar policies; at least one with type cedar.'),
  trialPolicies: texts()
    .optional()
    .describe('Cedar policies that decide nothing: the log tells what they would have decided otherwise.'),
  entitiesJson: z.string().optional().describe('Additional Cedar entities as a JSON list. Default: "[]".'),
  primaryUpstreamProvider: z
    .string()
    .optional()
    .describe('Has no effect: claims are those of the token that the caller shows. Deprecated.'),
  groupClaimName: z
    .string()
    .max(253)
    .optional()
    .describe('Claim that lists the groups; dots go down. Default: groups.'),
  roleClaimName: z.string().max(253).optional().describe('Claim that lists the roles; dots go down. Default: roles.'),
  groupEntityType: text('a Cedar identifier', /^[A-Za-z_][A-Za-z0-9_]{0,62}$/u)
    .optional()
    .describe('Cedar entity type of groups, without "::". Default: THVGroup.'),
})

export const incomingAuthSchema = z.strictObject({
  type: z.enum(['anonymous', 'local', 'oidc']).describe('How clients prove who they are. Required.'),
  oidc: z
    .union([oidcSchema, z.array(oidcSchema).min(1)], { error: expected('a map, or a list of at least one') })
    .optional()
    .describe('One issuer, or a list of several; references such as ${VAR} are expanded. Required with type oidc.'),
  local: z
    .strictObject({
      tokenFile: path()
        .optional()
        .describe('File that holds the token clients must show, 16 characters or more; made when it is not there.'),
    })
    .optional()
    .describe('Settings of type local.'),
  publicDiscovery: z.boolean().optional().describe('Show the catalogue to clients without a token. Default: false.'),
  authz: authzSchema.optional().describe('What a known client may see and do. Default: everything.'),
})

const allowPrivateIp = () =>
  z.boolean().optional().describe("Allow what the backend's metadata names to be at a private address. Default: false.")

/** The block that a strategy of a given type is configured by. */
export const STRATEGY_BLOCKS = {
  unauthenticated: undefined,
  header_injection: 'headerInjection',
  token_exchange: 'tokenExchange',
  client_credentials: 'clientCredentials',
  authorization_code: 'authorizationCode',
  upstream_inject: 'upstreamInject',
  aws_sts: 'awsSts',
  xaa: 'xaa',
  obo: 'obo',
} as const

export type StrategyType = keyof typeof STRATEGY_BLOCKS

const strategySchema = z.strictObject({
  type: z.enum(Object.keys(STRATEGY_BLOCKS) as [StrategyType, ...StrategyType[]]).describe('Strategy. Required.'),
  headerInjection: z
    .strictObject({
      headerName: headerName().describe('Header to send, none of the protocol. Required.'),
      headerValue: z
        .string()
        .optional()
        .describe('Its value, as text; ${VAR} and ${file:PATH} are expanded. Prefer headerValueEnv.'),
      headerValueEnv: variable().optional().describe('Environment variable that holds its value.'),
    })
    .optional()
    .describe('Sends a fixed header.'),
  tokenExchange: z
    .strictObject({
      tokenUrl: url().describe('Token endpoint; https, or on this machine. Required.'),
      clientId: name().optional().describe('Client id at the token endpoint.'),
      ...secretPair('at the token endpoint'),
      ...privateKeyPair('for the token endpoint'),
      audience: z.string().optional().describe('Audience of the token that is asked for.'),
      scopes: texts().optional().describe('Scopes that are asked for. Default: [].'),
      subjectTokenType: text('access_token, id_token, jwt, or a URN', /^(access_token|id_token|jwt|urn:\S+)$/u)
        .optional()
        .describe('access_token, id_token, jwt, or a URN of RFC 8693. Default: access_token.'),
      subjectProviderName: z
        .string()
        .optional()
        .describe("Has no effect: what is exchanged is always the caller's token."),
    })
    .optional()
    .describe("Exchanges the caller's token (RFC 8693)."),
  clientCredentials: z
    .strictObject({
      tokenUrl: url()
        .optional()
        .describe("Token endpoint; https, or on this machine. Default: found from the backend's metadata."),
      clientId: name().describe('Client id. Required.'),
      ...secretPair('at the token endpoint'),
      ...privateKeyPair('for the token endpoint'),
      scopes: texts().optional().describe('Scopes that are asked for. Default: [].'),
      audience: z.string().optional().describe('Audience of the token that is asked for.'),
      allowPrivateIp: allowPrivateIp(),
    })
    .optional()
    .describe("Shows a token of the gateway's own (OAuth client credentials)."),
  authorizationCode: z
    .strictObject({
      issuer: url()
        .optional()
        .describe("Authorization server; https, or on this machine. Default: found from the backend's metadata."),
      clientId: name()
        .optional()
        .describe('Client id, or the address of a document about the gateway. Default: registered by the gateway.'),
      ...secretPair('of that client'),
      ...privateKeyPair('of that client'),
      scopes: texts().optional().describe('Scopes that are asked for. Default: those the backend names.'),
      allowPrivateIp: allowPrivateIp(),
    })
    .optional()
    .describe('Each user signs in once; their token is shown.'),
  upstreamInject: z
    .strictObject({ providerName: z.string().describe('Upstream provider whose token is shown. Required.') })
    .optional()
    .describe("Shows the caller's token of an upstream provider. Not available: use authorizationCode."),
  awsSts: z
    .strictObject({
      region: name().describe('AWS region. Required.'),
      service: z.string().optional().describe('Service name to sign for. Default: aws-mcp.'),
      fallbackRoleArn: z.string().optional().describe('Role when no mapping matches.'),
      roleMappings: z
        .array(
          z.strictObject({
            claim: z.string().optional().describe('Value of roleClaim that selects the role.'),
            matcher: z.string().optional().describe('CEL expression that selects the role.'),
            roleArn: name().describe('Role to assume. Required.'),
            priority: z.int().optional().describe('Lower numbers are tried first. Default: 0.'),
          }),
        )
        .optional()
        .describe('Which caller gets which role. Default: [].'),
      roleClaim: z.string().optional().describe('Claim that mappings compare. Default: groups.'),
      sessionDuration: z.int().optional().describe('Life of a session in seconds. Default: 3600.'),
      sessionNameClaim: z.string().optional().describe('Claim that names the session. Default: sub.'),
      subjectProviderName: z.string().optional().describe('Upstream provider whose token is used.'),
    })
    .optional()
    .describe('Assumes an AWS role and signs requests. Not available: run a signing proxy.'),
  xaa: z
    .strictObject({
      idpTokenUrl: url().describe("Identity provider's token endpoint; https, or on this machine. Required."),
      idpClientId: name().optional().describe('Client id at the identity provider.'),
      idpClientSecret: z
        .string()
        .optional()
        .describe('Client secret at the identity provider. Prefer idpClientSecretEnv.'),
      idpClientSecretEnv: variable().optional().describe('Environment variable that holds it.'),
      idpPrivateKeyEnv: variable()
        .optional()
        .describe('Environment variable that holds the private key for it (PEM): private_key_jwt instead of a secret.'),
      idpPrivateKeyFile: path().optional().describe('PEM file of the private key for it, instead of idpPrivateKeyEnv.'),
      targetTokenUrl: url().describe("Target's token endpoint; https, or on this machine. Required."),
      insecureTargetTokenUrl: z
        .boolean()
        .optional()
        .describe('Has no effect: plain http is taken on this machine, and nowhere else.'),
      targetClientId: name().optional().describe('Client id at the target.'),
      targetClientSecret: z.string().optional().describe('Client secret at the target. Prefer targetClientSecretEnv.'),
      targetClientSecretEnv: variable().optional().describe('Environment variable that holds it.'),
      targetPrivateKeyEnv: variable()
        .optional()
        .describe('Environment variable that holds the private key for it (PEM): private_key_jwt instead of a secret.'),
      targetPrivateKeyFile: path()
        .optional()
        .describe('PEM file of the private key for it, instead of targetPrivateKeyEnv.'),
      targetAudience: name().describe("Issuer of the target's authorization server. Required."),
      targetResource: z.string().optional().describe("Target's resource: the address that its tokens are for."),
      scopes: texts().optional().describe('Scopes that are asked for. Default: [].'),
      subjectProviderName: z
        .string()
        .optional()
        .describe('Has no effect: the identity is that of the caller, by the issuer of incomingAuth.'),
      subjectTokenType: text(
        'id_token, access_token, jwt, or one of them as a URN',
        /^(urn:ietf:params:oauth:token-type:)?(id_token|access_token|jwt)$/u,
      )
        .optional()
        .describe(
          "id_token: of the caller's sign-in at the connect page. access_token, jwt: what the caller shows. Default: id_token.",
        ),
    })
    .optional()
    .describe('Enterprise-managed authorization: an assertion of the identity provider for a token of the target.'),
  obo: z
    .strictObject({
      tokenUrl: url().optional().describe('Token endpoint.'),
      clientId: z.string().optional().describe('Client id.'),
      ...secretPair('at the token endpoint'),
      audience: z.string().optional().describe('Audience of the token that is asked for.'),
      scopes: texts().optional().describe('Scopes that are asked for. Default: [].'),
      subjectTokenProviderName: z.string().optional().describe('Upstream provider whose token is used.'),
      cacheSkewSeconds: z
        .int()
        .min(0)
        .optional()
        .describe('Seconds before expiry at which a token is renewed. Default: 0.'),
    })
    .optional()
    .describe('On-behalf-of exchange. Not available: use tokenExchange.'),
})

export type AuthoredStrategy = z.infer<typeof strategySchema>

export const outgoingAuthSchema = z.strictObject({
  source: z
    .enum(['inline', 'discovered'])
    .optional()
    .describe(
      'inline: this section alone decides. discovered: what a backend itself declares comes first. Default: inline.',
    ),
  default: strategySchema
    .optional()
    .describe('For backends that are not named; references such as ${VAR} are expanded. Default: unauthenticated.'),
  backends: z
    .record(z.string(), strategySchema)
    .optional()
    .describe('By backend name; references such as ${VAR} are expanded. Default: {}.'),
  store: z
    .strictObject({
      provider: z.enum(['memory', 'file']).describe('memory: until the gateway stops. Required.'),
      path: path().optional().describe('The file, encrypted. Default: $XDG_STATE_HOME/vmcp/credentials.'),
    })
    .optional()
    .describe('Where the tokens of users who signed in are kept. Default: file.'),
})
