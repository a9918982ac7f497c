import { bothSpellings } from './both-spellings.ts'
import { isPerCaller } from './caller-needs.ts'
import type { CheckContext } from './check-context.ts'
import { clientKeys, type ClientPrefix } from './credentials.ts'
import { hasReference } from './expand.ts'
import { HEADER_HINT, isProtocolHeader, protocolHeader } from './header-names.ts'
import type { Step } from './positions.ts'
import type { AuthoredBackend } from './schema/backends.ts'
import { type AuthoredStrategy, STRATEGY_BLOCKS, type StrategyType } from './schema/auth.ts'
import { ADDRESS_BLOCKS, secretAddresses, tokenUrlFault } from './token-urls.ts'

interface Placed {
  steps: readonly Step[]
  strategy: AuthoredStrategy
}

/** What strategies need of their own blocks and of their backends. */
export function outgoingAuth(context: CheckContext): void {
  const { outgoingAuth: outgoing } = context.config
  const placed: Placed[] = Object.entries(outgoing?.backends ?? {}).map(([name, strategy]) => ({
    steps: ['outgoingAuth', 'backends', name],
    strategy,
  }))
  if (outgoing?.default) placed.push({ steps: ['outgoingAuth', 'default'], strategy: outgoing.default })
  for (const one of placed) {
    blocks(one, context)
    header(one, context)
    addresses(one, context)
    clients(one, context)
    subjects(one, context)
  }
  for (const [index, backend] of (context.config.backends ?? []).entries()) towards(backend, index, context)
}

function blocks({ steps, strategy }: Placed, { error, keyError }: CheckContext): void {
  const wanted = STRATEGY_BLOCKS[strategy.type]
  if (wanted !== undefined && wanted !== 'authorizationCode' && strategy[wanted] === undefined) {
    error(steps, `the type "${strategy.type}" needs ${wanted}`)
  }
  for (const block of Object.values(STRATEGY_BLOCKS)) {
    if (block === undefined || strategy[block] === undefined) continue
    if (block === wanted) bothSpellings(strategy[block], [...steps, block], keyError)
    else keyError([...steps, block], `${block} contradicts the type "${strategy.type}"`)
  }
}

function header({ steps, strategy: { headerInjection } }: Placed, { error }: CheckContext): void {
  if (!headerInjection) return
  const { headerName, headerValue, headerValueEnv } = headerInjection
  const at = [...steps, 'headerInjection']
  if (headerValue === undefined && headerValueEnv === undefined) {
    error(at, 'headerInjection needs headerValueEnv or headerValue')
  }
  if (isProtocolHeader(headerName)) error([...at, 'headerName'], protocolHeader(headerName), HEADER_HINT)
}

function addresses({ steps, strategy }: Placed, { error }: CheckContext): void {
  for (const block of ADDRESS_BLOCKS) {
    for (const [key, text] of secretAddresses(strategy, block)) {
      // One with references is looked at when they have been replaced.
      const fault = hasReference(text) ? undefined : tokenUrlFault(text)
      if (fault) error([...steps, block, key], fault.message, fault.hint)
    }
  }
}

/** The clients that blocks describe. `proof`: one that cannot prove itself gets nothing. */
const CLIENTS: readonly { block: keyof AuthoredStrategy; prefix: ClientPrefix; proof: boolean }[] = [
  { block: 'clientCredentials', prefix: '', proof: true },
  { block: 'tokenExchange', prefix: '', proof: false },
  { block: 'xaa', prefix: 'idp', proof: false },
  { block: 'xaa', prefix: 'target', proof: false },
  { block: 'authorizationCode', prefix: '', proof: false },
]

function clients({ steps, strategy }: Placed, { error, keyError }: CheckContext): void {
  for (const { block, prefix, proof } of CLIENTS) {
    const values = strategy[block]
    if (values === undefined) continue
    const keys = clientKeys(prefix)
    const given = (names: readonly (keyof typeof keys)[]) =>
      names.map((name) => keys[name]).filter((key) => Object.hasOwn(values as object, key))
    const secrets = given(['clientSecret', 'clientSecretEnv'])
    const privateKeys = given(['privateKeyEnv', 'privateKeyFile'])
    const [first, second] = [...privateKeys, ...secrets]
    const at = [...steps, block]
    // Two spellings of the secret are told as such.
    if (privateKeys.length > 0 && first !== undefined && second !== undefined) {
      keyError([...at, second], `${first} and ${second} contradict each other`, 'a client proves itself in one way')
    }
    if (first !== undefined && given(['clientId']).length === 0) {
      keyError([...at, first], `${first} needs ${keys.clientId}`)
    }
    if (proof && first === undefined) {
      const hint = `set ${keys.clientSecretEnv}, ${keys.privateKeyEnv} or ${keys.privateKeyFile}`
      error(at, `${block} needs a secret or a private key`, hint)
    }
  }
}

function subjects({ steps, strategy: { tokenExchange, xaa } }: Placed, { warn }: CheckContext): void {
  if (tokenExchange && tokenExchange.audience === undefined) {
    const message = 'without an audience the exchanged token may be good for other services too'
    warn([...steps, 'tokenExchange'], message, 'set audience')
  }
  for (const [block, values] of Object.entries({ tokenExchange, xaa })) {
    if (values?.subjectProviderName !== undefined) {
      const message = 'subjectProviderName has no effect: this gateway keeps no tokens of upstream providers'
      warn([...steps, block, 'subjectProviderName'], message)
    }
  }
}

function towards(backend: AuthoredBackend, index: number, context: CheckContext): void {
  const { backends, default: fallback } = context.config.outgoingAuth ?? {}
  const own = backends && Object.hasOwn(backends, backend.name) ? backends[backend.name] : undefined
  const type: StrategyType = (own ?? fallback)?.type ?? 'unauthenticated'
  const process = processOf(backend)
  if (process !== undefined) {
    if (own === undefined || type === 'unauthenticated') return
    const message = `"${backend.name}" is ${process}: it is shown nothing`
    context.warn(['outgoingAuth', 'backends', backend.name], message, 'give it what it needs through env')
    return
  }
  if (backend.sharing === 'shared' && isPerCaller(type, context.config.incomingAuth?.type === 'oidc')) {
    const message = `sharing: shared contradicts ${type}: callers show something of their own`
    context.error(['backends', index, 'sharing'], message, 'leave sharing out')
  }
}

function processOf({ command, image, transport = 'stdio' }: AuthoredBackend): string | undefined {
  if (command !== undefined) return 'a command'
  return image !== undefined && transport === 'stdio' ? 'an image that talks over stdio' : undefined
}
