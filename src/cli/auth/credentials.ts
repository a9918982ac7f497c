import { type Credentials, StoreFault } from '../../auth/outbound/credentials.ts'
import { Outbound } from '../../gateway/outbound.ts'
import type { BackendSpec } from '../../model/backend.ts'
import { signInOf } from '../../model/credential.ts'
import { type Events, Telemetry } from '../../telemetry/events.ts'
import { AS_FLAG, principalAs } from '../acting-as.ts'
import type { Args } from '../args.ts'
import { CONFIG_FLAGS, type Loaded, loadOrExit, sourceOf } from '../configuration.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import { stateFolder } from '../state-folder.ts'
import { printError } from '../terminal.ts'

export const SUBJECT_FLAGS = {
  ...CONFIG_FLAGS,
  as: { ...AS_FLAG.as, help: 'whose sign-in it is: the principal with these claims ({"sub":...})' },
}

type Config = Loaded & { config: NonNullable<Loaded['config']> }

export const AUTH_NOTES = [
  'A running gateway that keeps its tokens in the same folder notices within seconds.',
  'Under incomingAuth oidc --as says whose sign-in it is: {"iss":..., "sub":..., "client_id":...}.',
]

/** The last argument is the backend, those before it are files. */
export async function targetOf(args: Args): Promise<{ backend: BackendSpec; loaded: Config }> {
  const { command, positionals } = args
  const name = positionals.at(-1)
  if (name === undefined) throw usageError(`name the backend: vmcp ${command} BACKEND`, command)
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

export function signedInBackends({ config }: Config): BackendSpec[] {
  return config.backends.filter(({ credential }) => credential && signInOf(credential) !== undefined)
}

/** Whose tokens are meant. Without OpenID Connect a gateway has one user. */
export function subjectOf(args: Args, { config }: Config): string {
  const principal = principalAs(args)
  if (config.incomingAuth.type !== 'oidc') return 'local'
  if (principal?.kind === 'identified') return principal.key
  throw usageError('say whose sign-in it is with --as: {"iss":..., "sub":..., "client_id":...}', args.command)
}

export async function withCredentials<Value>(
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
