import type { Backend } from '../../backends/backend.ts'
import { ownRequest } from '../../backends/leg.ts'
import type { Call, Caller, Context, Outcome } from '../../model/call.ts'
import { backendOf } from '../../model/catalogue.ts'
import { GatewayError, JSONRPC } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'
import type { BackendId } from '../../model/ids.ts'
import { clip } from '../../protocol/clip.ts'
import { methodNotFound } from '../../protocol/jsonrpc.ts'
import type { LinkMemory } from '../catalogue/link-memory.ts'
import type { Resolver } from '../catalogue/resolve.ts'
import { requestTo } from '../upstream.ts'
import { skillsOf } from './declared.ts'
import { fetchPages } from './pages.ts'

/** Freshness while some backend has not answered. */
const TTL_INCOMPLETE_MS = 1000

export interface SkillParts {
  /** In configured order. */
  backends: readonly Backend[]
  resolver: Resolver
  links: LinkMemory
  /** Whether this caller may have a skill of a backend. Absent: everybody may have every skill. */
  maySee: ((uri: string, backend: BackendId, caller: Caller) => boolean) | undefined
}

/** `skills/list`: the skills of all backends, as one page. Of equal URIs the first configured backend's counts. */
export async function listSkills(
  { params }: Call & { kind: 'skills' },
  context: Context,
  { backends, links, maySee }: SkillParts,
): Promise<Outcome> {
  const owners = backends.filter(skillsOf)
  if (owners.length === 0) throw new GatewayError('METHOD_UNKNOWN', methodNotFound('skills/list').message)
  if (params['cursor'] !== undefined) throw new GatewayError('PARAMS_INVALID', 'Invalid cursor')
  const lists = await Promise.all(
    owners.map(async (backend) => ({
      backend,
      ...(await fetchPages('skills', (page) => backend.call(ownRequest('skills/list', page, context.signal, context)))),
    })),
  )
  const skills = new Map<string, JsonObject>()
  let ttlMs = Infinity
  let cacheScope = maySee ? 'private' : 'public'
  for (const { backend, items, last } of lists) {
    ttlMs = Math.min(ttlMs, last ? numberOf(last['ttlMs']) : TTL_INCOMPLETE_MS)
    if (last?.['cacheScope'] !== 'public') cacheScope = 'private'
    for (const skill of items) {
      const { uri } = skill
      if (typeof uri !== 'string' || skills.has(uri)) continue
      if (maySee?.(uri, backend.spec.id, context) === false) continue
      skills.set(uri, skill)
      links.remember(context.owner, filesOf(skill), backend.spec.id)
    }
  }
  return { kind: 'result', value: { skills: [...skills.values()], ttlMs, cacheScope }, era: 'modern' }
}

function numberOf(value: unknown): number {
  return typeof value === 'number' && value >= 0 ? value : 0
}

function filesOf({ uri, resources }: JsonObject): string[] {
  const listed = Array.isArray(resources) ? resources : []
  const uris = [uri, ...listed.map((file) => (isObject(file) ? file['uri'] : undefined))]
  return uris.filter((one) => typeof one === 'string')
}

const METHODS = { skill: 'skills/get', directory: 'resources/directory/read' } as const

/**
 * `skills/get`, `resources/directory/read`: to the backend that is known to own the URI, else to every one that could,
 * in configured order, until one has it.
 */
export async function readSkill(
  call: Call & { kind: 'skill' | 'directory' },
  context: Context,
  { backends, resolver, links, maySee }: SkillParts,
): Promise<Outcome> {
  const method = METHODS[call.kind]
  const able = backends.filter((backend) => isAble(backend, call.kind))
  if (able.length === 0) throw new GatewayError('METHOD_UNKNOWN', methodNotFound(method).message)
  const entry = resolver.now({ kind: 'resource', uri: call.uri, params: {} }, context)
  const owner = entry && backendOf(entry)
  const known = able.filter(({ spec }) => spec.id === owner)
  let failure: unknown
  for (const backend of known.length > 0 ? known : able) {
    if (maySee?.(call.uri, backend.spec.id, context) === false) continue
    try {
      const reply = await backend.call(requestTo(method, call.params, {}, backend.spec.id, context))
      if (reply.kind === 'stream') throw new GatewayError('BACKEND_PROTOCOL', `${method} was answered as a stream`)
      const { skill } = reply.value
      if (isObject(skill)) links.remember(context.owner, filesOf(skill), backend.spec.id)
      return reply
    } catch (error) {
      context.signal.throwIfCancelled()
      if (!isAbsence(error)) failure ??= error
    }
  }
  throw (
    failure ??
    new GatewayError('NOT_AVAILABLE', `Unknown resource: ${clip(call.uri)}`, { data: { uri: clip(call.uri) } })
  )
}

function isAble(backend: Backend, kind: keyof typeof METHODS): boolean {
  const settings = skillsOf(backend)
  return settings !== undefined && (kind === 'skill' || settings['directoryRead'] === true)
}

const ABSENT: readonly number[] = [JSONRPC.invalidParams, JSONRPC.resourceNotFoundLegacy, JSONRPC.methodNotFound]

function isAbsence(error: unknown): boolean {
  return error instanceof GatewayError && error.code === 'BACKEND_ERROR' && ABSENT.includes(error.jsonrpc)
}
