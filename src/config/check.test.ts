import { expect, test } from 'vitest'
import { formatFault } from './format.ts'
import { loadConfig } from './load.ts'

const TWO = 'backends: [{name: github, url: "http://a/mcp"}, {name: files, command: npx}]\n'

const faults = async (text: string, severity = 'error') => {
  const result = await loadConfig(['-'], { stdin: text, env: {} })
  return result.faults
    .filter((fault) => fault.severity === severity)
    .map((fault) => formatFault(fault).replace('<stdin>:', ''))
}

test('every fault of a file is found at once, each at its place', async () => {
  const text = `name: x
backends:
  - name: github
    url: ftp://x/y
  - name: files
    comand: npx
  - name: both
    url: http://a/
    command: b
  - name: both
    url: http://a/
    args: [a]
aggregation:
  conflictResolutoin: prefix
  conflictResolution: prefx
  tools:
    - workload: bth
    - excludeAll: yes
operational:
  timeouts: { default: 30, perWorkload: { filez: 2m } }
maxMessageBytes: 64Q
incomingAuth: { type: oidc, oidc: { isuer: https://a } }
`
  expect(await faults(text)).toEqual([
    '4:10 backends[0].url: expected a URL that begins with http:// or https://, found "ftp://x/y"',
    '6:5 backends[1].comand: unknown key "comand" (did you mean "command"?)',
    '9:5 backends[2].command: the backend "both" has both url and command (keep one of them)',
    '10:11 backends[3].name: the backend "both" is defined twice (the other one is at <stdin>:7:11; rename one)',
    '12:5 backends[3].args: args goes with command or image, not with url',
    '14:3 aggregation.conflictResolutoin: unknown key "conflictResolutoin" (did you mean "conflictResolution"?)',
    '15:23 aggregation.conflictResolution: expected one of "prefix", "priority", "manual", found "prefx" (did you mean "prefix"?)',
    '17:17 aggregation.tools[0].workload: there is no backend "bth" (did you mean "both"?)',
    '18:7 aggregation.tools[1].workload: required, but missing',
    '18:19 aggregation.tools[1].excludeAll: expected true or false, found "yes"',
    '20:24 operational.timeouts.default: expected a duration such as 30s, found 30',
    '20:43 operational.timeouts.perWorkload.filez: there is no backend "filez" (did you mean "files"?)',
    '21:18 maxMessageBytes: expected a size such as 8Mi or a number of bytes, found "64Q"',
    '22:35 incomingAuth.oidc.issuer: required, but missing',
    '22:37 incomingAuth.oidc.isuer: unknown key "isuer" (did you mean "issuer"?)',
  ])
})

const outgoing = (type: string, block: string) => `${TWO}outgoingAuth: {default: {type: ${type}, ${block}}}`
const SHARED = `publicUrl: https://gw/mcp
incomingAuth: {type: oidc, oidc: {issuer: "https://i", clientId: c, audience: v}}
backends: [{name: a, url: "https://a/", sharing: shared}]
`
const BLOCKS = {
  token_exchange: 'tokenExchange: {tokenUrl: "https://t/", audience: a}',
  xaa: 'xaa: {idpTokenUrl: "https://i/", targetTokenUrl: "https://t/", targetAudience: a}',
  authorization_code: 'authorizationCode: {}',
}

test.each([
  ['backends: [{name: a}]', '1:12 backends[0]: the backend "a" has neither url nor command'],
  ['backends: [{name: a, url: "http://a/", cwd: x}]', 'cwd goes with command, not with url'],
  ['backends: [{name: a, command: x, methods: [tasks/get]}]', '0].methods[0]: tasks/get belongs to the protocol'],
  ['backends: [{name: a, command: x, methods: [""]}]', '0].methods[0]: a method without a name'],
  [
    'backends: [{name: a, command: x, methods: [v/m]}, {name: b, command: x, methods: [v/m]}]',
    '1].methods[0]: the method v/m is given to "a" and to "b" (give it to one of them)',
  ],
  ['backends: [{name: a, command: x, transport: sse}]', 'a command talks over stdio, not over sse'],
  ['backends: [{name: a, url: "http://a/", transport: stdio}]', 'not over stdio'],
  ['backends: [{name: a, url: "http://a/", headers: {"a b": c}}]', 'expected the name of an HTTP header'],
  ['backends: [{name: a, url: "http://a/", caBundlePath: /x}]', 'caBundlePath goes only with type: entry'],
  ['backends: [{name: a, command: x, env: {PORT: 80}}]', 'expected text, found 80 (put it in quotes)'],
  ['backends: [{name: "a\\u001b[2J", command: x}]', 'control characters in a name'],
  [`${TWO}aggregation: {conflictResolution: priority}`, 'needs conflictResolutionConfig.priorityOrder'],
  [`${TWO}aggregation: {conflictResolution: manual}`, 'needs aggregation.tools'],
  [
    `${TWO}aggregation: {conflictResolution: priority, conflictResolutionConfig: {priorityOrder: [githb]}}`,
    '2:88 aggregation.conflictResolutionConfig.priorityOrder[0]: there is no backend "githb" (did you mean "github"?)',
  ],
  [
    `${TWO}aggregation: {conflictResolution: priority, conflictResolutionConfig: {priorityOrder: [github]}, defaultToolVisibility: deny}`,
    'give it an entry in aggregation.tools',
  ],
  [
    `${TWO}aggregation: {tools: [{workload: github, filter: [a], excludeAll: true}]}`,
    'excludeAll and filter contradict',
  ],
  [`${TWO}aggregation: {tools: [{workload: github}, {workload: github}]}`, 'a second entry for "github"'],
  [`${TWO}aggregation: {tools: [{workload: github, overrides: {a: {}}}]}`, 'the override changes nothing'],
  [
    `${TWO}aggregation: {tools: [{workload: github, overrides: {a: {name: c}, b: {name: c}}}]}`,
    '"a" is renamed to "c" already',
  ],
  [
    `${TWO}aggregation: {tools: [{workload: github, overrides: {a: {nam: c}}}]}`,
    'unknown key "nam" (did you mean "name"?)',
  ],
  [`${TWO}operational: {failureHandling: {healthCheckInterval: 5s, healthCheckTimeout: 5s}}`, 'must be shorter than'],
  [`${TWO}operational: {failureHandling: {circuitBreaker: {timeout: 10ms}}}`, 'expected at least 1s, found 10ms'],
  [`${TWO}operational: {timeouts: {default: 0s}}`, 'expected more than 0s'],
  [`${TWO}outgoingAuth: {backends: {gthub: {type: unauthenticated}}}`, 'there is no backend "gthub"'],
  [`${TWO}outgoingAuth: {default: {type: header_injection}}`, 'needs headerInjection'],
  [
    `${TWO}outgoingAuth: {default: {type: unauthenticated, xaa: {idpTokenUrl: "http://a", targetTokenUrl: "http://a", targetAudience: a}}}`,
    'xaa contradicts the type',
  ],
  [
    `${TWO}outgoingAuth: {default: {type: header_injection, headerInjection: {headerName: A, headerValue: b, headerValueEnv: C}}}`,
    'headerValue and headerValueEnv contradict each other',
  ],
  [
    outgoing('client_credentials', 'clientCredentials: {clientId: c}'),
    'clientCredentials needs a secret or a private key',
  ],
  [outgoing('client_credentials', 'clientCredentials: {clientSecret: c}'), 'clientCredentials.clientId: required'],
  [
    outgoing('client_credentials', 'clientCredentials: {clientId: c, clientSecret: s, privateKeyFile: f}'),
    'clientCredentials.clientSecret: privateKeyFile and clientSecret contradict each other',
  ],
  [
    outgoing('client_credentials', 'clientCredentials: {clientId: c, privateKeyEnv: K, privateKeyFile: f}'),
    'privateKeyEnv and privateKeyFile contradict each other',
  ],
  [
    outgoing('client_credentials', 'clientCredentials: {clientId: c, clientSecret: s, clientSecretEnv: S}'),
    'clientSecret and clientSecretEnv contradict each other',
  ],
  [
    outgoing(
      'client_credentials',
      'clientCredentials: {clientId: c, clientSecret: s, tokenUrl: "http://id.example/t"}',
    ),
    'clientCredentials.tokenUrl: plain http would show secrets to the network: id.example (use https)',
  ],
  [outgoing('token_exchange', 'tokenExchange: {tokenUrl: "https://u:p@t/"}'), 'tokenUrl: credentials in a URL'],
  [
    outgoing('token_exchange', 'tokenExchange: {tokenUrl: "https://t/", subjectTokenType: saml}'),
    'subjectTokenType: expected access_token, id_token, jwt, or a URN, found "saml"',
  ],
  [
    outgoing('token_exchange', 'tokenExchange: {tokenUrl: "https://t/", clientSecretEnv: S}'),
    'clientSecretEnv needs clientId',
  ],
  [outgoing('xaa', 'xaa: {idpTokenUrl: "https://i/", targetTokenUrl: "https://t/"}'), 'targetAudience: required'],
  [
    outgoing('xaa', 'xaa: {idpTokenUrl: "https://i/", targetTokenUrl: "http://t/", targetAudience: a}'),
    'xaa.targetTokenUrl: plain http would show secrets',
  ],
  [
    outgoing(
      'xaa',
      'xaa: {idpTokenUrl: "https://i/", targetTokenUrl: "https://t/", targetAudience: a, targetPrivateKeyEnv: K}',
    ),
    'xaa.targetPrivateKeyEnv: targetPrivateKeyEnv needs targetClientId',
  ],
  [
    outgoing('authorization_code', 'authorizationCode: {issuer: "http://10.0.0.1/"}'),
    'authorizationCode.issuer: plain http would show secrets to the network: 10.0.0.1',
  ],
  [
    outgoing('token_exchange', 'tokenExchange: {tokenUrl: "http://127.evil.example/"}'),
    'tokenExchange.tokenUrl: plain http would show secrets to the network: 127.evil.example',
  ],
  ...(['token_exchange', 'xaa', 'authorization_code'] as const).map((type): [string, string] => [
    `${SHARED}outgoingAuth: {default: {type: ${type}, ${BLOCKS[type]}}}`,
    `backends[0].sharing: sharing: shared contradicts ${type}: callers show something of their own`,
  ]),
  [`${TWO}incomingAuth: {type: oidc}`, 'the type "oidc" needs incomingAuth.oidc'],
  [`${TWO}incomingAuth: {type: oidc, oidc: {issuer: "https://a"}}`, 'an audience is needed'],
  [`${TWO}incomingAuth: {type: anonymous, authz: {type: cedar}}`, 'needs at least one policy'],
  ...[
    'Host',
    'connection',
    'Content-Length',
    'Accept',
    'Mcp-Session-Id',
    'MCP-Protocol-Version',
    'Accept-Encoding',
  ].flatMap((header): [string, string][] => [
    [`${TWO}passthroughHeaders: [${header}]`, `the header "${header}" is never passed on`],
    [
      outgoing('header_injection', `headerInjection: {headerName: ${header}, headerValue: b}`),
      `headerInjection.headerName: the header "${header}" belongs to the protocol`,
    ],
    [
      `backends: [{name: a, url: "http://a/", headers: {X: y, ${header}: z}}]`,
      `1:56 backends[0].headers.${header}: the header "${header}" belongs to the protocol: the gateway writes it itself (leave it out)`,
    ],
  ]),
  [`${TWO}passthroughHeaders: [Authorization]`, 'the header "Authorization" is never passed on'],
  [`${TWO}publicUrl: "https://gw/#x"`, 'publicUrl: not the address of a resource'],
  [`${TWO}passthroughHeaders: [X-Forwarded-For]`, 'the header "X-Forwarded-For" is never passed on'],
  [`${TWO}rateLimiting: {perUser: {maxTokens: 1, refillPeriod: 1s}}`, 'perUser needs incomingAuth that knows users'],
  [`${TWO}rateLimiting: {}`, 'the section limits nothing'],
  [`${TWO}sessionStorage: {provider: redis}`, 'the provider "redis" needs an address'],
  [`${TWO}sealing: {keys: [{id: a}]}`, 'exactly one of valueEnv and value'],
  [`${TWO}sealing: {keys: [{id: a, valueEnv: NONE}]}`, 'the variable NONE is not set'],
  [`${TWO}sealing: {keys: [{id: a, value: short}]}`, 'the sealing key "a" is too short'],
  [`${TWO}compositeToolRefs: [nothing]`, 'VirtualMCPCompositeToolDefinition "nothing" is not among the files'],
  [`${TWO}groupRef: {nam: x}`, 'unknown key "nam"'],
])('%s', async (text, expected) => {
  expect((await faults(text)).join('\n')).toContain(expected)
})

test('a right configuration with contradicting leftovers is served with a warning', async () => {
  const text = `${TWO}aggregation: {conflictResolution: prefix, conflictResolutionConfig: {priorityOrder: [github]}}`
  expect(await faults(text)).toEqual([])
  expect(await faults(text, 'warning')).toEqual([expect.stringContaining('priorityOrder has no effect')])
})

test('headers beside a command are a warning: entries are copied whole', async () => {
  const { config, faults } = await loadConfig(['-'], { stdin: 'backends: [{name: a, command: x, headers: {A: b}}]' })
  expect(config?.backends).toHaveLength(1)
  expect(faults).toMatchObject([{ severity: 'warning', message: 'headers goes with url, not with command' }])
})

test('a long text where another type belongs is not quoted: it may be a secret', async () => {
  const stdin = 'backends: [{name: a, url: "http://a/", headers: "Bearer sk-123456"}]'
  const { faults } = await loadConfig(['-'], { stdin })
  expect(faults.map(({ message }) => message).join()).toMatch(/found a text/)
  expect(JSON.stringify(faults)).not.toContain('sk-123456')
})

test('strategies that can be right are served, with warnings', async () => {
  const shared = `${SHARED}outgoingAuth: {default: {type: client_credentials, clientCredentials: {clientId: c, clientSecret: s}}}`
  expect(await faults(shared)).toEqual([])
  const alone =
    'backends: [{name: a, url: "https://a/", sharing: shared}]\noutgoingAuth: {default: {type: authorization_code}}'
  expect(await faults(alone)).toEqual([])
  const loose = `${SHARED.replace(', sharing: shared', '')}outgoingAuth: {default: {type: token_exchange, tokenExchange: {tokenUrl: "http://localhost:1/", subjectProviderName: p}}}`
  expect(await faults(loose)).toEqual([])
  expect(await faults(loose, 'warning')).toEqual([
    expect.stringContaining('without an audience'),
    expect.stringContaining('subjectProviderName has no effect'),
  ])
})

test('a fixed header may say who the gateway is', async () => {
  const text = 'backends: [{name: a, url: "http://a/", headers: {Authorization: b, Cookie: c, X-Forwarded-Host: d}}]'
  expect(await faults(text)).toEqual([])
})
