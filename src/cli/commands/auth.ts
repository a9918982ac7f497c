import { setImmediate as immediate } from 'node:timers/promises'
import { type Credentials, type Ending, StoreFault } from '../../auth/outbound/credentials.ts'
import type { BackendSpec } from '../../model/backend.ts'
import { signInOf } from '../../model/credential.ts'
import { listenForPages } from '../../gateway/face/http/pages.ts'
import { Outbound } from '../../gateway/outbound.ts'
import { type Events, Telemetry } from '../../telemetry/events.ts'
import { AS_FLAG, principalAs } from '../acting-as.ts'
import type { Args, Command } from '../args.ts'
import { openBrowser } from '../browser.ts'
import { CONFIG_FLAGS, loadOrExit, sourceOf } from '../configuration.ts'
import type { Loaded } from '../configuration.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import { nextSignal, SIGNAL_EXIT } from '../signals.ts'
import { stateFolder } from '../state-folder.ts'
import { paintFor, print, printError } from '../terminal.ts'

export const authCommand: Command = {
  name: 'auth',
  usage: 'list|login|logout [FILE|DIR...] [BACKEND] [options]',
  summary: 'Sign in to backends that want to know the user, and see or end what was signed in to.',
  flags: {
    ...CONFIG_FLAGS,
    ...AS_FLAG,
    'no-browser': { type: 'boolean', help: 'login: only print the address to open' },
    json: { type: 'boolean', help: 'list: print JSON' },
  },
  notes: [
    'A running gateway that keeps its tokens in the same folder notices within seconds.',
    'Under incomingAuth oidc --as says whose sign-in it is: {"iss":..., "sub":..., "client_id":...}.',
  ],
  examples: ['vmcp auth list', 'vmcp auth login vmcp.yaml mail', 'vmcp auth logout mail'],
  run: async (args) => {
    const [verb, ...rest] = args.positionals
    switch (verb) {
      case 'list':
        return list(args, rest)
      case 'login':
        return login(args, rest)
      case 'logout':
        return logout(args, rest)
      default:
        throw usageError('say what to do: list, login, logout', 'auth')
    }
  },
}

type Config = Loaded & { config: NonNullable<Loaded['config']> }

async function list(args: Args, files: readonly string[]): Promise<number> {
  const loaded = await loadOrExit(sourceOf(args, files))
  return withRoom(loaded, undefined, async (room) => {
    const accounts = await room.accounts()
    if (args.on('json')) {
      print(JSON.stringify(accounts, null, 2))
      return EXIT.ok
    }
    const paint = paintFor(process.stdout)
    for (const { backend, subject, issuer, scopes, expiresAt, canRefresh } of accounts) {
      const ends = expiresAt === undefined ? '' : `, until ${new Date(expiresAt).toISOString()}`
      const renewed = canRefresh ? ', renewed by itself' : ''
      print(`${paint.bold(backend)}  ${subject}  at ${issuer}  ${scopes.join(' ')}${ends}${renewed}`)
    }
    for (const { id } of signedInBackends(loaded)) {
      if (!accounts.some(({ backend }) => backend === id)) print(`${paint.bold(id)}  nobody has signed in`)
    }
    if (accounts.length === 0 && signedInBackends(loaded).length === 0) print('no backend asks its users to sign in')
    return EXIT.ok
  })
}

async function login(args: Args, positionals: readonly string[]): Promise<number> {
  const { backend, loaded } = await target(args, positionals, 'login')
  if (loaded.config.tokenStore.provider === 'memory') {
    throw new CliError(
      EXIT.failed,
      'this configuration keeps tokens in the memory of the gateway, where a sign-in here would not reach it',
      'open the link that the gateway gives, or set outgoingAuth.store.provider: file',
    )
  }
  const stopped = nextSignal().then((signal) => {
    throw new CliError(SIGNAL_EXIT[signal], `stopped by ${signal}`)
  })
  let room: Credentials | undefined
  const { address, server } = await listenForPages(() => room?.pages)
  server.ref()
  try {
    return await withRoom(loaded, address, async (opened) => {
      room = opened
      const { url, settled } = await opened.signIn(backend, subjectOf(args, loaded))
      print(`To sign in to ${backend.id}, open\n  ${url}`)
      if (!args.on('no-browser')) openBrowser(url)
      const ending = await Promise.race([settled, stopped])
      // The page that tells the user is on its way.
      await immediate()
      if (ending.outcome !== 'connected') throw new CliError(EXIT.failed, failureOf(ending))
      print(`signed in to ${backend.id}`)
      return EXIT.ok
    })
  } finally {
    server.close()
    server.closeAllConnections()
  }
}

function failureOf(ending: Exclude<Ending, { outcome: 'connected' }>): string {
  return ending.outcome === 'expired' ? 'nobody signed in within 10 minutes' : `nobody is signed in: ${ending.why}`
}

async function logout(args: Args, positionals: readonly string[]): Promise<number> {
  const { backend, loaded } = await target(args, positionals, 'logout')
  return withRoom(loaded, undefined, async (room) => {
    const known = await room.signOut(backend, subjectOf(args, loaded))
    if (known) print(`signed out of ${backend.id}`)
    else printError(`nobody was signed in to ${backend.id}`)
    return known ? EXIT.ok : EXIT.failed
  })
}

/** The last argument is the backend, those before it are files. */
async function target(
  args: Args,
  positionals: readonly string[],
  verb: string,
): Promise<{ backend: BackendSpec; loaded: Config }> {
  const name = positionals.at(-1)
  if (name === undefined) throw usageError(`name the backend: vmcp auth ${verb} BACKEND`, 'auth')
  const loaded = await loadOrExit(sourceOf(args, positionals.slice(0, -1)))
  const able = signedInBackends(loaded)
  const backend = able.find(({ id }) => id === name)
  if (backend) return { backend, loaded }
  const known = able.map(({ id }) => id).join(', ')
  throw new CliError(
    EXIT.failed,
    loaded.config.backends.some(({ id }) => id === name)
      ? `nobody signs in at the backend ${name}`
      : `there is no backend ${name}`,
    known === ''
      ? 'users sign in at backends with outgoing authentication of type authorization_code'
      : `they do at ${known}`,
  )
}

function signedInBackends({ config }: Config): BackendSpec[] {
  return config.backends.filter(({ credential }) => credential && signInOf(credential) !== undefined)
}

/** Whose tokens are meant. Without OpenID Connect a gateway has one user. */
function subjectOf(args: Args, { config }: Config): string {
  const principal = principalAs(args, 'auth')
  if (config.incomingAuth.type !== 'oidc') return 'local'
  if (principal?.kind === 'identified') return principal.key
  throw usageError('say whose sign-in it is with --as: {"iss":..., "sub":..., "client_id":...}', 'auth')
}

async function withRoom<Value>(
  { config }: Config,
  address: string | undefined,
  work: (room: Credentials) => Promise<Value>,
): Promise<Value> {
  const telemetry = new Telemetry()
  telemetry.subscribe(
    (_name, note) => warn(note as Events['sign-in']),
    (name) => name === 'sign-in',
  )
  const outbound = new Outbound(telemetry, stateFolder(), true)
  outbound.address = address
  const credentials = outbound.acquire(config)
  try {
    return await work(credentials)
  } catch (error) {
    if (!(error instanceof StoreFault)) throw error
    throw new CliError(EXIT.failed, `${error.file}: ${error.message}`, error.remedy)
  } finally {
    outbound.release(credentials)
  }
}

function warn(note: Events['sign-in']): void {
  if (note.kind === 'sign-in-failing')
    printError(`warning: the page could not go on, and may be tried again: ${note.why}`)
  if (note.kind === 'revocation-failed')
    printError(`warning: the tokens are forgotten here, but may be good until they end: ${note.why}`)
}
