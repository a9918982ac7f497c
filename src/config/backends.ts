import { dirname, resolve } from 'node:path'
import { type BackendFault, type BackendSpec, type Endpoint } from '../model/backend.ts'
import { backendId } from '../model/ids.ts'
import { Secret } from '../model/secret.ts'
import { expand, lookUpVariable, type Problem, type Surroundings, unset } from './expand.ts'
import { backendError, type Fault } from './faults.ts'
import { type LocatedMap, positionOf, type Step } from './positions.ts'
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
): { backends: BackendSpec[]; faults: Fault[] } {
  const faults: Fault[] = []
  const backends = (config.backends ?? []).map((backend, index): BackendSpec => {
    const { file } = positionOf(root, ['backends', index])
    const folder = file === STDIN ? environment.cwd : dirname(resolve(environment.cwd, file))
    const around = { env: environment.env, folder, onRead: environment.onRead }
    const draft: Draft = { index, backend, root, around, problems: [], faults }
    for (const { at, message, hint } of withheld.filter((one) => one.backend === backend.name)) {
      draft.problems.push({ message, hint: hint ?? '' })
      faults.push(backendError(at, `backend "${backend.name}": ${message}`, hint))
    }
    const endpoint = authenticate(draft, resolveEndpoint(draft), strategyOf(config, backend.name))
    const fault = summary(draft.problems)
    return {
      id: backendId(backend.name),
      endpoint,
      era: backend.era ?? 'auto',
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
      complain(draft, ['backends', draft.index, key, name], {
        message: `the value of the header ${name} has a line break in it`,
        hint: 'check the variable or file it comes from',
      })
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

/** A fixed header is part of the endpoint; what needs a token cannot be shown yet and withholds the backend. */
function authenticate(draft: Draft, endpoint: Endpoint, placed: Placed | undefined): Endpoint {
  if (!placed || placed.strategy.type === 'unauthenticated') return endpoint
  // Programs that the gateway starts get what they need through their environment.
  if (endpoint.kind === 'stdio') return endpoint
  const { strategy, steps } = placed
  const header = strategy.headerInjection
  if (strategy.type !== 'header_injection' || !header || endpoint.kind === 'container') {
    const what = endpoint.kind === 'container' ? `${strategy.type} towards a container` : strategy.type
    complain(draft, [...steps, 'type'], {
      message: `outgoing authentication ${what} is not available yet`,
      hint: 'use header_injection or headers',
    })
    return endpoint
  }
  const value = header.headerValue ?? lookUpVariable(draft.around.env, header.headerValueEnv ?? '')
  if (value === undefined) {
    complain(draft, [...steps, 'headerInjection', 'headerValueEnv'], {
      ...unset(header.headerValueEnv ?? ''),
      hint: `set ${header.headerValueEnv}`,
    })
    return endpoint
  }
  const others = Object.entries(endpoint.headers).filter(
    ([name]) => name.toLowerCase() !== header.headerName.toLowerCase(),
  )
  return { ...endpoint, headers: { ...Object.fromEntries(others), [header.headerName]: new Secret(value) } }
}
