import { createHash } from 'node:crypto'
import { GatewayError, JSONRPC } from '../model/errors.ts'
import type { JsonObject, JsonValue } from '../model/json.ts'
import { isObject } from '../model/json.ts'
import type { Profile } from '../model/profile.ts'
import { NO_PROFILE } from '../model/profile.ts'
import { eraOf, isBefore } from './revisions.ts'

interface Row {
  capability: string
  /** The first revision that has it. */
  since: string
  /** Members that are carried, with the first revision of each. `*`: all. */
  members: Readonly<Record<string, string>>
  /** Members that only legacy servers are told of. `*`: the whole capability. */
  legacyOnly?: string
}

/** Client capabilities that the gateway carries (schema, `ClientCapabilities`). An absent row is never offered upstream. */
const CARRIED: readonly Row[] = [
  { capability: 'elicitation', since: '2025-06-18', members: { form: '2025-11-25', url: '2025-11-25' } },
  { capability: 'sampling', since: '2024-10-07', members: { context: '2025-11-25', tools: '2025-11-25' } },
  { capability: 'roots', since: '2024-10-07', members: { listChanged: '2024-10-07' }, legacyOnly: 'listChanged' },
  { capability: 'tasks', since: '2025-11-25', members: { '*': '2025-11-25' }, legacyOnly: '*' },
  { capability: 'extensions', since: '2024-10-07', members: { '*': '2024-10-07' } },
]

/** The tasks extension belongs to modern servers; legacy ones have tasks of their own. */
export const TASKS_EXTENSION = 'io.modelcontextprotocol/tasks'

/** Clients declare a handful of different capabilities; a hostile one could make up more. */
const MAX_KNOWN = 1000
const known = new Map<string, Profile>()

/** What a caller of `revision` that declares `capabilities` can do behind the gateway. */
export function profileOf(capabilities: JsonObject, revision: string): Profile {
  let empty = true
  for (const _ in capabilities) empty = false
  if (empty) return NO_PROFILE
  const text = revision + JSON.stringify(capabilities)
  const found = known.get(text)
  if (found) return found
  if (known.size >= MAX_KNOWN) known.clear()
  const profile = makeProfile(capabilities, revision)
  known.set(text, profile)
  return profile
}

function makeProfile(declared: JsonObject, revision: string): Profile {
  const legacy: JsonObject = {}
  const modern: JsonObject = {}
  for (const { capability, since, members, legacyOnly } of CARRIED) {
    const value = declared[capability]
    if (!isObject(value) || isBefore(revision, since)) continue
    const carried: [string, JsonValue | undefined][] = Object.entries(value).filter(([member]) => {
      const memberSince = members['*'] ?? (Object.hasOwn(members, member) ? members[member] : undefined)
      return memberSince !== undefined && !isBefore(revision, memberSince)
    })
    if (capability !== 'tasks' || eraOf(revision) === 'legacy') {
      legacy[capability] = Object.fromEntries(carried.filter(([member]) => member !== TASKS_EXTENSION))
    }
    const hidden = eraOf(revision) === 'legacy' ? TASKS_EXTENSION : undefined
    if (legacyOnly !== '*') {
      modern[capability] = Object.fromEntries(carried.filter(([member]) => member !== legacyOnly && member !== hidden))
    }
  }
  return profileFor(legacy, modern)
}

function profileFor(legacy: JsonObject, modern: JsonObject): Profile {
  const text = JSON.stringify([legacy, modern])
  if (text === '[{},{}]') return NO_PROFILE
  return { key: createHash('sha256').update(text).digest('base64url').slice(0, 12), legacy, modern }
}

/** Whether a caller of this profile can be asked anything at all. */
export function canBeAsked({ legacy }: Profile): boolean {
  return legacy['elicitation'] !== undefined || legacy['sampling'] !== undefined || legacy['roots'] !== undefined
}

/** Whether a caller of this profile takes such a question. */
export const takesQuestion = ({ legacy }: Profile, method: string, params: JsonObject): boolean =>
  mayAsk(legacy, method, params)

const plain = new WeakMap<Profile, Profile>()

/** The same caller, where nothing may become a task: somebody waits for the answer itself. */
export function withoutTasks(profile: Profile): Profile {
  let without = plain.get(profile)
  if (!without) {
    const { tasks: _, ...legacy } = profile.legacy
    const { extensions } = profile.modern
    const { [TASKS_EXTENSION]: tasks, ...others } = isObject(extensions) ? extensions : {}
    const modern = tasks === undefined ? profile.modern : { ...profile.modern, extensions: others }
    without = profileFor(legacy, modern)
    plain.set(profile, without)
  }
  return without
}

/** Refuses a backend's question that the caller did not say it can answer. Throws `METHOD_UNKNOWN`. */
export function checkQuestion({ legacy }: Profile, method: string, params: JsonObject): void {
  if (!mayAsk(legacy, method, params)) {
    throw new GatewayError('METHOD_UNKNOWN', `Method not found: the client has not declared what ${method} needs`, {
      jsonrpc: JSONRPC.methodNotFound,
    })
  }
}

function mayAsk({ elicitation, sampling, roots, tasks }: JsonObject, method: string, params: JsonObject): boolean {
  switch (method) {
    case 'elicitation/create':
      if (!isObject(elicitation)) return false
      return params['mode'] === 'url' ? isObject(elicitation['url']) : takesForms(elicitation)
    case 'sampling/createMessage':
      if (!isObject(sampling)) return false
      return (params['tools'] === undefined && params['toolChoice'] === undefined) || isObject(sampling['tools'])
    case 'roots/list':
      return isObject(roots)
    case 'tasks/get':
    case 'tasks/result':
    case 'tasks/list':
    case 'tasks/cancel':
      return isObject(tasks)
    default:
      return false
  }
}

/** An elicitation capability without members means forms (2025-11-25, client/elicitation, "Capabilities"). */
function takesForms(elicitation: JsonObject): boolean {
  return isObject(elicitation['form']) || elicitation['url'] === undefined
}
