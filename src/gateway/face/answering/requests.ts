import type { Era } from '../../../model/backend.ts'
import type { Call, Context, Outcome, ResultStream, TaskVerb } from '../../../model/call.ts'
import type { ListKind } from '../../../model/catalogue.ts'
import { GatewayError } from '../../../model/errors.ts'
import type { JsonObject } from '../../../model/json.ts'
import { isObject } from '../../../model/json.ts'
import { principalKey } from '../../../model/principal.ts'
import { META } from '../../../protocol/envelope.ts'
import { isRawNumber } from '../../../protocol/json.ts'
import { methodNotFound } from '../../../protocol/jsonrpc.ts'
import { CORE_TASKS_SINCE, SUPPORTED_MODERN, isBefore } from '../../../protocol/revisions.ts'
import { modernResult, questionsResult, withoutHop } from '../../../protocol/translate.ts'
import type { Gateway } from '../../gateway.ts'
import { askAndRepeat } from '../../questions/rounds.ts'
import { lowerResult } from '../../../protocol/downgrade.ts'
import { LOG_LEVELS, isLogLevel } from '../../../protocol/log-level.ts'
import type { LegacyClient } from '../legacy/legacy-client.ts'
import { handshakeOf } from './handshake.ts'
import { listPage } from './lists.ts'
import { capabilitiesFor } from './offer.ts'
import { subscribe, unsubscribe } from '../legacy/resource-updates.ts'

/** An answer at a door: JSON text of the result, or a response that is still arriving. */
export type Answer = { kind: 'text'; text: string } | { kind: 'stream'; stream: ResultStream }

interface Row {
  /** A method that is not of this era does not exist there. */
  eras: readonly Era[]
  /** The first revision that has it; absent: the first of its eras. */
  since?: string
}

/** Answered by the gateway itself, by means of its core. */
interface OwnMethod extends Row {
  answer: (
    gateway: Gateway,
    params: JsonObject,
    context: Context,
    client: LegacyClient | undefined,
  ) => Answer | Promise<Answer>
}

/** Goes to a backend. */
interface CallMethod extends Row {
  /** Throws `PARAMS_INVALID`. */
  call: (params: JsonObject) => Call
  /** The method whose result this is, where it is another one's. */
  resultOf?: string
}

/** The empty result. */
const DONE: Answer = { kind: 'text', text: '{}' }

const BOTH: readonly Era[] = ['legacy', 'modern']

/** Every request that the gateway answers. An absent row is a method that does not exist. */
const METHODS: Readonly<Record<string, OwnMethod | CallMethod>> = {
  initialize: { eras: ['legacy'], answer: initialize },
  ping: { eras: ['legacy'], answer: () => DONE },
  'logging/setLevel': { eras: ['legacy'], answer: setLevel },
  'server/discover': { eras: ['modern'], answer: discover },
  'tools/list': list('tools'),
  'prompts/list': list('prompts'),
  'resources/list': list('resources'),
  'resources/templates/list': list('templates'),
  'tools/call': { eras: BOTH, call: (params) => ({ kind: 'tool', ...named(params) }) },
  'prompts/get': { eras: BOTH, call: (params) => ({ kind: 'prompt', ...named(params) }) },
  'resources/read': { eras: BOTH, call: (params) => ({ kind: 'resource', ...located(params) }) },
  'resources/subscribe': {
    eras: ['legacy'],
    answer: async (gateway, params, _context, client) => {
      const uri = textOf(params, 'uri')
      if (client) await subscribe(gateway, client, uri)
      return DONE
    },
  },
  'resources/unsubscribe': {
    eras: ['legacy'],
    answer: (_gateway, params, _context, client) => {
      const uri = textOf(params, 'uri')
      if (client) unsubscribe(client, uri)
      return DONE
    },
  },
  'completion/complete': { eras: BOTH, call: (params) => ({ kind: 'complete', ref: refOf(params), params }) },
  'tasks/get': task('get', BOTH),
  'tasks/cancel': task('cancel', BOTH),
  // Nothing else becomes a task.
  'tasks/result': { ...task('result', ['legacy']), resultOf: 'tools/call' },
  'tasks/update': task('update', ['modern']),
  'tasks/list': { eras: ['legacy'], since: CORE_TASKS_SINCE, call: (params) => ({ kind: 'tasks', params }) },
  'skills/list': { eras: BOTH, call: (params) => ({ kind: 'skills', params }) },
  'skills/get': { eras: BOTH, call: (params) => ({ kind: 'skill', ...located(params) }) },
  'resources/directory/read': { eras: BOTH, call: (params) => ({ kind: 'directory', ...located(params) }) },
}

/** The methods that clients of each era may call, besides `subscriptions/listen`, which the doors answer. */
export const ANSWERED: Readonly<Record<string, Row>> = METHODS

/** Answers one request of either era; legacy ones come from a `client` that shook hands. Throws `GatewayError`s. */
export function answerRequest(
  gateway: Gateway,
  method: string,
  params: JsonObject,
  context: Context,
  client: LegacyClient | undefined,
): Answer | Promise<Answer> {
  const row = Object.hasOwn(METHODS, method) ? METHODS[method] : undefined
  if (row && isOf(row, context)) {
    return 'answer' in row
      ? row.answer(gateway, params, context, client)
      : invoke(gateway, row.resultOf ?? method, row.call(params), context)
  }
  if (!row && gateway.current.config.vendorMethods.has(method)) {
    return invoke(gateway, method, { kind: 'vendor', method, params }, context)
  }
  throw new GatewayError('METHOD_UNKNOWN', methodNotFound(method).message)
}

function isOf({ eras, since }: Row, { era, revision }: Context): boolean {
  return eras.includes(era) && (since === undefined || !isBefore(revision, since))
}

async function initialize(gateway: Gateway, params: JsonObject, context: Context): Promise<Answer> {
  const { revision } = handshakeOf(params)
  const { instructions, extensions } = (await gateway.core.catalogue(context, 'welcome')).catalogue
  const result: JsonObject = {
    protocolVersion: revision,
    capabilities: capabilitiesFor(revision, extensions),
    serverInfo: gateway.identity,
    ...(instructions !== undefined && { instructions }),
  }
  return { kind: 'text', text: JSON.stringify(result) }
}

async function discover(gateway: Gateway, _params: JsonObject, context: Context): Promise<Answer> {
  const { catalogue, connecting, hints } = await gateway.core.catalogue(context, 'welcome')
  const { instructions, extensions } = catalogue
  const result: JsonObject = {
    resultType: 'complete',
    supportedVersions: [...SUPPORTED_MODERN],
    capabilities: capabilitiesFor(context.revision, extensions),
    ...(instructions !== undefined && { instructions }),
    ttlMs: connecting ? 1000 : 5000,
    // What is told of backends here depends on the caller as the lists do.
    cacheScope: Object.values(hints).some(({ cacheScope }) => cacheScope === 'private') ? 'private' : 'public',
    _meta: { [META.server]: gateway.identity },
  }
  return { kind: 'text', text: JSON.stringify(result) }
}

function task(verb: TaskVerb, eras: readonly Era[]): CallMethod {
  return {
    eras,
    since: CORE_TASKS_SINCE,
    call: (params) => ({ kind: 'task', verb, id: textOf(params, 'taskId'), params }),
  }
}

function list(kind: ListKind): OwnMethod {
  return {
    eras: BOTH,
    answer: async (gateway, params, context) => {
      const { catalogue, hints } = await gateway.core.catalogue(context, 'list')
      const request = {
        kind,
        revision: context.revision,
        cursor: params['cursor'],
        principal: principalKey(context.principal),
        hint: hints[kind],
      }
      return { kind: 'text', text: listPage(catalogue, request, gateway.sealer, gateway.identity) }
    },
  }
}

async function invoke(gateway: Gateway, method: string, call: Call, context: Context): Promise<Answer> {
  const { core, identity } = gateway
  let outcome = await core.invoke(call, context)
  if (outcome.kind === 'needs-input' && context.era === 'legacy') {
    outcome = await askAndRepeat(core, call, context, outcome)
  }
  switch (outcome.kind) {
    case 'stream':
      return outcome
    case 'needs-input':
      return { kind: 'text', text: JSON.stringify(questionsResult(outcome.value, identity)) }
    case 'result':
      return { kind: 'text', text: JSON.stringify(resultFor(gateway, method, call, outcome, context)) }
  }
}

function setLevel(
  gateway: Gateway,
  { level }: JsonObject,
  _context: Context,
  client: LegacyClient | undefined,
): Answer {
  if (!isLogLevel(level)) {
    throw new GatewayError('PARAMS_INVALID', `Invalid params: "level" must be one of ${LOG_LEVELS.join(', ')}`)
  }
  if (client) {
    client.logLevel = level
    gateway.setLogLevel(client.owner, level)
  }
  return DONE
}

function resultFor(
  gateway: Gateway,
  method: string,
  call: Call,
  outcome: Outcome & { kind: 'result' },
  context: Context,
): JsonObject {
  if (context.era === 'modern') return modernResult(call.kind, outcome.value, outcome.era, gateway.identity)
  const value = outcome.era === 'modern' ? withoutHop(outcome.value) : outcome.value
  return lowerResult(context.revision, method, value)
}

function textOf(params: JsonObject, field: string): string {
  const value = params[field]
  if (typeof value === 'string') return value
  throw new GatewayError('PARAMS_INVALID', `Invalid params: "${field}" must be a string`)
}

function named(params: JsonObject): { name: string; params: JsonObject } {
  const value = params['arguments']
  if (value !== undefined && (!isObject(value) || isRawNumber(value))) {
    throw new GatewayError('PARAMS_INVALID', 'Invalid params: "arguments" must be an object')
  }
  return { name: textOf(params, 'name'), params }
}

function located(params: JsonObject): { uri: string; params: JsonObject } {
  return { uri: textOf(params, 'uri'), params }
}

function refOf(params: JsonObject): (Call & { kind: 'complete' })['ref'] {
  const { ref, argument } = params
  if (!isObject(argument) || typeof argument['name'] !== 'string' || typeof argument['value'] !== 'string') {
    throw new GatewayError('PARAMS_INVALID', 'Invalid params: "argument" must hold the strings "name" and "value"')
  }
  if (isObject(ref)) {
    if (ref['type'] === 'ref/prompt') return { type: 'prompt', name: textOf(ref, 'name') }
    if (ref['type'] === 'ref/resource') return { type: 'resource', uri: textOf(ref, 'uri') }
  }
  throw new GatewayError('PARAMS_INVALID', 'Invalid params: "ref" must be a ref/prompt or a ref/resource')
}
