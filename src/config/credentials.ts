import { createPrivateKey } from 'node:crypto'
import { resolve } from 'node:path'
import type { CredentialSpec, OAuthClient } from '../model/credential.ts'
import { Secret } from '../model/secret.ts'
import { defined } from './defined.ts'
import {
  expandTexts,
  hasReference,
  lookUpVariable,
  type Problem,
  readReference,
  type Surroundings,
  unset,
} from './expand.ts'
import type { Step } from './positions.ts'
import { type AuthoredStrategy, STRATEGY_BLOCKS, type StrategyType } from './schema/auth.ts'
import { secretAddresses, tokenUrlFault } from './token-urls.ts'

/** What a backend over HTTP is shown. */
export interface Shown {
  headers?: Readonly<Record<string, Secret>>
  credential?: CredentialSpec
}

/** Reads the values of one strategy. What is missing is told, and withholds the backend. */
export interface Reading {
  around: Surroundings
  /** `steps` begin at the strategy. */
  complain: (steps: readonly Step[], problem: Problem) => void
}

type Block<Type extends StrategyType> = (typeof STRATEGY_BLOCKS)[Type] extends infer Key extends keyof AuthoredStrategy
  ? NonNullable<AuthoredStrategy[Key]>
  : undefined
type Convert<Type extends StrategyType> = (block: Block<Type>, reading: Reading) => Shown

/** Strategies that are understood and not offered: why, and what to use instead. */
export const UNAVAILABLE = {
  upstream_inject: {
    message: 'upstream_inject is not available: this gateway is no authorization server and keeps no upstream tokens',
    hint: 'use authorization_code, with which each user signs in once at the provider',
  },
  aws_sts: {
    message: 'aws_sts is not available: this gateway does not sign requests for AWS',
    hint: 'run a signing proxy (SigV4) in front of the backend and name its url',
  },
  obo: {
    message: 'obo is not available: it is the protocol of one vendor',
    hint: 'use token_exchange, or xaa when the backend has an authorization server of its own',
  },
} as const satisfies Partial<Record<StrategyType, Problem>>

/** One row per strategy: what it comes to. */
const STRATEGIES: { readonly [Type in StrategyType]: Convert<Type> } = {
  unauthenticated: () => ({}),
  header_injection: (block, reading) => {
    const value = block.headerValue ?? variable(reading, 'headerInjection', 'headerValueEnv', block.headerValueEnv)
    if (value === undefined) return {}
    // It would begin a header of its own.
    if (/[\r\n\0]/u.test(value)) reading.complain(['headerInjection'], lineBreak(block.headerName))
    return { headers: { [block.headerName]: new Secret(value) } }
  },
  client_credentials: (block, reading) => ({
    credential: {
      kind: 'client_credentials',
      ...defined({ tokenUrl: block.tokenUrl }),
      client: clientOf(reading, 'clientCredentials', block) ?? { id: block.clientId },
      scopes: block.scopes ?? [],
      ...defined({ audience: block.audience, allowPrivate: block.allowPrivateIp }),
    },
  }),
  token_exchange: (block, reading) => ({
    credential: {
      kind: 'token_exchange',
      tokenUrl: block.tokenUrl,
      ...defined({ client: clientOf(reading, 'tokenExchange', block), audience: block.audience }),
      scopes: block.scopes ?? [],
      subjectTokenType: urn(block.subjectTokenType ?? 'access_token'),
    },
  }),
  xaa: (block, reading) => ({
    credential: {
      kind: 'id_jag',
      idp: {
        tokenUrl: block.idpTokenUrl,
        ...defined({ client: clientOf(reading, 'xaa', block, 'idp') }),
      },
      target: {
        tokenUrl: block.targetTokenUrl,
        ...defined({ client: clientOf(reading, 'xaa', block, 'target') }),
        audience: block.targetAudience,
        ...defined({ resource: block.targetResource }),
      },
      scopes: block.scopes ?? [],
      subjectTokenType: subjectType(block.subjectTokenType ?? 'id_token'),
    },
  }),
  authorization_code: (block, reading) => ({
    credential: {
      kind: 'authorization_code',
      ...defined({
        issuer: block.issuer,
        client: clientOf(reading, 'authorizationCode', block),
        scopes: block.scopes,
        allowPrivate: block.allowPrivateIp,
      }),
    },
  }),
  upstream_inject: withheld('upstream_inject'),
  aws_sts: withheld('aws_sts'),
  obo: withheld('obo'),
}

function withheld(type: keyof typeof UNAVAILABLE): (block: object, reading: Reading) => Shown {
  return (_block, { complain }) => {
    complain(['type'], UNAVAILABLE[type])
    return {}
  }
}

/** What a checked strategy comes to, its references resolved. */
export function shownBy(strategy: AuthoredStrategy, reading: Reading): Shown {
  const key = STRATEGY_BLOCKS[strategy.type]
  const convert = STRATEGIES[strategy.type] as (block: object, reading: Reading) => Shown
  // A block without required keys may be left out.
  if (key === undefined || strategy[key] === undefined) return convert({}, reading)
  const broken = new Set<Step | undefined>()
  const block = expandTexts<object>(strategy[key], reading.around, (steps, problem) => {
    broken.add(steps[0])
    reading.complain([key, ...steps], problem)
  })
  for (const [name, written] of secretAddresses(strategy, key)) {
    // One without references was looked at when the file was checked.
    if (!hasReference(written) || broken.has(name)) continue
    const fault = tokenUrlFault((block as Record<string, string>)[name] ?? '')
    if (fault) reading.complain([key, name], fault)
  }
  // What could not be replaced is told once, whatever it is used for.
  const complain: Reading['complain'] = (steps, problem) => {
    if (!broken.has(steps[1])) reading.complain(steps, problem)
  }
  return convert(block, { around: reading.around, complain })
}

/** The fault of a header that would be two. */
export const lineBreak = (header: string): Problem => ({
  message: `the value of the header ${header} has a line break in it`,
  hint: 'check the variable or file it comes from',
})

const urn = (name: string): string => (name.startsWith('urn:') ? name : `urn:ietf:params:oauth:token-type:${name}`)

const SUBJECT_TYPES = ['id_token', 'access_token', 'jwt'] as const
const subjectType = (name: string) => SUBJECT_TYPES.find((type) => urn(name) === urn(type)) ?? 'id_token'

/** Keys that describe a client; some blocks describe two, with a prefix each. */
const CLIENT_KEYS = ['clientId', 'clientSecret', 'clientSecretEnv', 'privateKeyEnv', 'privateKeyFile'] as const
export type ClientPrefix = '' | 'idp' | 'target'

/** How a block with this prefix spells the keys of a client. */
export const clientKeys = (prefix: ClientPrefix): Readonly<Record<(typeof CLIENT_KEYS)[number], string>> => {
  const spelt = (key: string) => (prefix === '' ? key : prefix + key.charAt(0).toUpperCase() + key.slice(1))
  return Object.fromEntries(CLIENT_KEYS.map((key) => [key, spelt(key)])) as Record<(typeof CLIENT_KEYS)[number], string>
}

function clientOf(reading: Reading, block: string, values: object, prefix: ClientPrefix = ''): OAuthClient | undefined {
  const keys = clientKeys(prefix)
  const given = (name: keyof typeof keys) => (values as Record<string, string | undefined>)[keys[name]]
  const id = given('clientId')
  if (id === undefined) return undefined
  const secret = given('clientSecret') ?? variable(reading, block, keys.clientSecretEnv, given('clientSecretEnv'))
  const key =
    keyOf(reading, block, keys.privateKeyEnv, variable(reading, block, keys.privateKeyEnv, given('privateKeyEnv'))) ??
    keyOf(reading, block, keys.privateKeyFile, fileText(reading, block, keys.privateKeyFile, given('privateKeyFile')))
  return {
    id,
    ...(secret !== undefined && { secret: new Secret(secret) }),
    ...(key !== undefined && { privateKey: new Secret(key) }),
  }
}

/** An empty variable is as good as none: it would be shown in place of a secret. */
function variable({ around, complain }: Reading, block: string, key: string, name?: string): string | undefined {
  if (name === undefined) return undefined
  const value = lookUpVariable(around.env, name)
  if (value !== undefined && value !== '') return value
  complain([block, key], { ...unset(name), hint: `set ${name}` })
  return undefined
}

function fileText({ around, complain }: Reading, block: string, key: string, path?: string): string | undefined {
  if (path === undefined) return undefined
  const text = readReference(resolve(around.folder, path), around)
  if (typeof text === 'string') return text
  complain([block, key], text)
  return undefined
}

function keyOf({ complain }: Reading, block: string, key: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  // Variables of one line hold the line breaks of a PEM as text.
  const pem = text.replaceAll('\\n', '\n')
  try {
    createPrivateKey(pem)
    return pem
  } catch {
    const message = 'the private key cannot be read: expected PEM without a passphrase'
    complain([block, key], { message, hint: 'check the variable or file it comes from' })
    return undefined
  }
}
