import { dirname, resolve } from 'node:path'
import { type BackendFault, type BackendSpec, type Endpoint } from '../model/backend.ts'
import type { CredentialSpec } from '../model/credential.ts'
import { backendId } from '../model/ids.ts'
import { Secret } from '../model/secret.ts'
import { callerNeeds, type Callers } from './caller-needs.ts'
import { lineBreak, type Shown, shownBy } from './credentials.ts'
import { expand, type Problem, type Surroundings } from './expand.ts'
import { backendError, type Fault } from './faults.ts'
import { type LocatedMap, type Position, positionOf, type Step } from './positions.ts'
import type { Withheld } from './read/contribution.ts'
import type { AuthoredConfig } from './schema.ts'
import type { AuthoredStrategy } from './schema/auth.ts'
import type { AuthoredBackend } from './schema/backends.ts'

/** Where references of a configuration are looked up. */
export interface Environment {
  env: NodeJS.ProcessEnv
  /** Folder at which relative file names begin. */
  cwd: string
  /** Told of every file that a reference reads. */
  onRead: (file: string) => void
}

const DEFAULT_CONTAINER_PORT = 8080

interface Draft {
  index: number
  backend: AuthoredBackend
  root: LocatedMap
  around: Surroundings
  problems: Problem[]
  faults: Fault[]
}

/**
 * Resolves every reference of every backend. What cannot be resolved withholds that backend only:
 * it becomes its `fault`, and a fault of scope `backend` for `vmcp validate`.
 */
export function resolveBackends(
  root: LocatedMap,
  config: AuthoredConfig,
  withheld: readonly Withheld[],
  environment: Environment,
  callers: Callers,
): { backends: BackendSpec[]; faults: Fault[] } {
  const faults: Fault[] = []
  const backends = (config.backends ?? []).map((backend, index): BackendSpec => {
    const folder = folderOf(positionOf(root, ['backends', index]), environment)
    const around = { env: environment.env, folder, onRead: environment.onRead }
    const draft: Draft = { index, backend, root, around, problems: [], faults }
    for (const { at, message, hint } of withheld.filter((one) => one.backend === backend.name)) {
      draft.problems.push({ message, hint: hint ?? '' })
      faults.push(backendError(at, `backend "${backend.name}": ${message}`, hint))
    }
    const endpoint = resolveEndpoint(draft)
    const placed = isShown(endpoint) ? strategyOf(config, backend.name) : undefined
    const show = isShown(endpoint) ? shown(draft, placed, endpoint, environment, callers) : {}
    const fault = summary(draft.problems)
    return {
      id: backendId(backend.name),
      endpoint: withHeaders(endpoint, show),
      era: backend.era ?? 'auto',
      // A broken one is of no use: the fault withholds the backend.
      ...(show.credential === undefined || fault !== undefined ? {} : { credential: show.credential }),
      ...(placed && placed.strategy.type !== 'unauthenticated' && { authType: placed.strategy.type }),
      ...(backend.sharing === undefined ? {} : { sharing: backend.sharing }),
      disabled: backend.disabled ?? false,
      ...(fault === undefined ? {} : { fault }),
      origin: 'static',
    }
  })
  return { backends, faults }
}

/** The name under which standard input appears in faults. */
export const STDIN = '<stdin>'

/** Where relative names in a file begin. */
export function folderOf({ file }: Position, { cwd }: Environment): string {
  return file === STDIN ? cwd : dirname(resolve(cwd, file))
}

/** All of it in one sentence: the operator mends it in one go. */
function summary(problems: readonly Problem[]): BackendFault | undefined {
  const messages = [...new Set(problems.map((problem) => problem.message))]
  const hints = [...new Set(problems.map((problem) => problem.hint))].filter((hint) => hint !== '')
  if (messages.length === 0) return undefined
  return { message: messages.join('; '), ...(hints.length === 0 ? {} : { hint: hints.join('; ') }) }
}

function complain(draft: Draft, steps: readonly Step[], problem: Problem): void {
  draft.problems.push(problem)
  // A backend that is switched off needs nothing.
  if (draft.backend.disabled) return
  const at = positionOf(draft.root, steps)
  draft.faults.push(backendError(at, `backend "${draft.backend.name}": ${problem.message}`, problem.hint || undefined))
}

function expanded(draft: Draft, text: string, ...steps: Step[]): string {
  const { value, problems } = expand(text, draft.around)
  for (const problem of problems) complain(draft, ['backends', draft.index, ...steps], problem)
  return value
}

function secrets(draft: Draft, key: 'env' | 'headers'): Record<string, Secret> {
  const given = Object.entries(draft.backend[key] ?? {})
  const values = given.map(([name, text]): [string, Secret] => {
    const value = expanded(draft, text, key, name)
    // A line break would begin a header of its own.
    if (key === 'headers' && /[\r\n\0]/u.test(value)) {
      complain(draft, ['backends', draft.index, key, name], lineBreak(name))
    }
    return [name, new Secret(value)]
  })
  return Object.fromEntries(values)
}

function resolveEndpoint(draft: Draft): Endpoint {
  const { backend } = draft
  if (backend.url !== undefined) return resolveUrl(draft, backend.url)
  const args = (backend.args ?? []).map((text, place) => expanded(draft, text, 'args', place))
  if (backend.image !== undefined) return resolveContainer(draft, backend.image, args)
  const command = expanded(draft, backend.command ?? '', 'command')
  const cwd = resolve(draft.around.folder, expanded(draft, backend.cwd ?? '.', 'cwd'))
  return { kind: 'stdio', command, args, env: secrets(draft, 'env'), cwd }
}

function resolveUrl(draft: Draft, text: string): Endpoint {
  const before = draft.problems.length
  const url = expanded(draft, text, 'url')
  const parsed = URL.parse(url)
  const usable = parsed !== null && ['http:', 'https:'].includes(parsed.protocol)
  if (!usable && draft.problems.length === before) {
    complain(draft, ['backends', draft.index, 'url'], {
      message: 'the url is not one that begins with http:// or https://',
      hint: 'write http://HOST:PORT/PATH',
    })
  }
  // Only the path tells: the older transport is served at /sse by convention.
  const older = draft.backend.transport === undefined && parsed !== null && parsed.pathname.endsWith('/sse')
  const kind = draft.backend.transport === 'sse' || older ? 'sse' : 'http'
  return { kind, url, headers: secrets(draft, 'headers') }
}

const CONTAINER_TRANSPORTS = { stdio: 'stdio', sse: 'sse', 'streamable-http': 'http' } as const

function resolveContainer(draft: Draft, image: string, args: string[]): Endpoint {
  const { backend } = draft
  return {
    kind: 'container',
    image: expanded(draft, image, 'image'),
    args,
    env: secrets(draft, 'env'),
    transport: CONTAINER_TRANSPORTS[backend.transport ?? 'stdio'],
    port: backend.port ?? DEFAULT_CONTAINER_PORT,
    volumes: (backend.volumes ?? []).map((volume) => ({
      hostPath: resolve(draft.around.folder, volume.hostPath),
      mountPath: volume.mountPath,
      readOnly: volume.readOnly ?? false,
    })),
  }
}

type Placed = { strategy: AuthoredStrategy; steps: readonly Step[] }

function strategyOf(config: AuthoredConfig, name: string): Placed | undefined {
  const { backends = {}, default: fallback } = config.outgoingAuth ?? {}
  const own = Object.hasOwn(backends, name) ? backends[name] : undefined
  if (own) return { strategy: own, steps: ['outgoingAuth', 'backends', name] }
  return fallback && { strategy: fallback, steps: ['outgoingAuth', 'default'] }
}

/** Programs that the gateway starts get what they need through their environment: they are shown nothing. */
const isShown = (endpoint: Endpoint): boolean =>
  endpoint.kind !== 'stdio' && !(endpoint.kind === 'container' && endpoint.transport === 'stdio')

function shown(
  draft: Draft,
  placed: Placed | undefined,
  endpoint: Endpoint,
  environment: Environment,
  callers: Callers,
): Shown {
  if (!placed) return mayAskForSignIn(callers, endpoint) ? { credential: SIGN_IN_IF_ASKED } : {}
  const { strategy, steps } = placed
  // Relative names begin at the file that holds the strategy, which may be another one.
  const around = { ...draft.around, folder: folderOf(positionOf(draft.root, steps), environment) }
  const show = shownBy(strategy, {
    around,
    complain: (inner, problem) => complain(draft, [...steps, ...inner], problem),
  })
  const needs = callerNeeds(callers, strategy.type, show.credential)
  if (needs) complain(draft, [...steps, 'type'], needs)
  return show
}

const SIGN_IN_IF_ASKED: CredentialSpec = { kind: 'authorization_code', ifAsked: true }

/**
 * Client files say nothing of servers at which their user signs in: the clients find out. So do we where there is one
 * user, unless the file has credentials of its own for it.
 */
function mayAskForSignIn({ incomingAuth }: Callers, endpoint: Endpoint): boolean {
  if (incomingAuth.type === 'oidc' || (endpoint.kind !== 'http' && endpoint.kind !== 'sse')) return false
  const url = URL.parse(endpoint.url)
  return url?.username === '' && !Object.keys(endpoint.headers).some((name) => name.toLowerCase() === 'authorization')
}

/** A fixed header is part of the endpoint; it gives way to what the strategy shows. */
function withHeaders(endpoint: Endpoint, { headers = {}, credential }: Shown): Endpoint {
  if (endpoint.kind === 'stdio') return endpoint
  const taken = new Set(
    [...Object.keys(headers), ...(credential ? ['authorization'] : [])].map((name) => name.toLowerCase()),
  )
  if (taken.size === 0) return endpoint
  const others = Object.entries(endpoint.headers ?? {}).filter(([name]) => !taken.has(name.toLowerCase()))
  return { ...endpoint, headers: { ...Object.fromEntries(others), ...headers } }
}
