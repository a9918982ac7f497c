import type { Backend } from '../backends/backend.ts'
import type { UpstreamRequest } from '../backends/leg.ts'
import type { Call, Context, Core } from '../model/call.ts'
import type { Catalogue, Entry } from '../model/catalogue.ts'
import { GatewayError, JSONRPC } from '../model/errors.ts'
import type { BackendId } from '../model/ids.ts'
import type { JsonObject } from '../model/json.ts'
import { clip } from '../protocol/clip.ts'
import { metaOf } from '../protocol/envelope.ts'
import type { CatalogueKeeper } from './keeper.ts'
import { resolveResource } from './templates.ts'

/** The innermost core: finds the entry, follows its route. */
export function dispatcher(
  keeper: CatalogueKeeper,
  backends: ReadonlyMap<BackendId, Backend>,
  watch: Core['watch'],
): Core {
  return {
    async catalogue({ owner }, occasion) {
      const catalogue = occasion === 'welcome' ? await keeper.forWelcome(owner) : await keeper.forList(owner)
      return { catalogue, connecting: keeper.pending > 0 }
    },
    watch,
    async invoke(call, context) {
      const { route } = resolveEntry(keeper.view(context.owner), call) ?? (await lateEntry(keeper, call, context))
      switch (route.kind) {
        case 'backend': {
          const backend = backends.get(route.backend)
          if (!backend) throw unknownEntry(call, context)
          return backend.call(context.era, context.owner, requestFor(call, route.native, context))
        }
      }
    },
  }
}

/** The entry that a call may reach; hidden ones do not exist. */
export function resolveEntry(catalogue: Catalogue, call: Call): Entry | undefined {
  const entry = findEntry(catalogue, call)
  return entry?.visibility === 'hidden' ? undefined : entry
}

function findEntry(catalogue: Catalogue, call: Call): Entry | undefined {
  switch (call.kind) {
    case 'tool':
      return catalogue.tools.get(call.name)
    case 'prompt':
      return catalogue.prompts.get(call.name)
    case 'resource':
      return resolveResource(catalogue, call.uri)
    case 'complete':
      return call.ref.type === 'prompt'
        ? catalogue.prompts.get(call.ref.name)
        : resolveResource(catalogue, call.ref.uri)
  }
}

/** A call that comes before its backend has been listed, or merged after that, waits as the first list does. */
async function lateEntry(keeper: CatalogueKeeper, call: Call, context: Context): Promise<Entry> {
  const entry = resolveEntry(await keeper.forList(context.owner), call)
  if (!entry) throw unknownEntry(call, context)
  return entry
}

/** Unknown and hidden entries answer alike, so that nobody can probe for what they may not see. */
function unknownEntry(call: Call, context: Context): GatewayError {
  switch (call.kind) {
    case 'tool':
      return new GatewayError('NOT_AVAILABLE', `Unknown tool: ${clip(call.name)}`)
    case 'prompt':
      return new GatewayError('NOT_AVAILABLE', `Unknown prompt: ${clip(call.name)}`)
    case 'resource': {
      const jsonrpc = context.era === 'legacy' ? JSONRPC.resourceNotFoundLegacy : JSONRPC.invalidParams
      return new GatewayError('NOT_AVAILABLE', 'Resource not found', { jsonrpc, data: { uri: clip(call.uri) } })
    }
    case 'complete':
      return new GatewayError(
        'NOT_AVAILABLE',
        call.ref.type === 'prompt'
          ? `Unknown prompt: ${clip(call.ref.name)}`
          : `Unknown resource: ${clip(call.ref.uri)}`,
      )
  }
}

const METHODS = {
  tool: 'tools/call',
  prompt: 'prompts/get',
  resource: 'resources/read',
  complete: 'completion/complete',
} as const satisfies Record<Call['kind'], string>

function requestFor(call: Call, native: string, context: Context): UpstreamRequest {
  return {
    method: METHODS[call.kind],
    params: call.params,
    patch: patchFor(call, native),
    signal: context.signal,
    deadline: context.deadline,
    onProgress: progressOf(call.params, context),
    streaming: context.streaming,
  }
}

function patchFor(call: Call, native: string): JsonObject {
  switch (call.kind) {
    case 'tool':
    case 'prompt':
      return { name: native }
    case 'complete':
      return call.ref.type === 'prompt' ? { ref: { ...(call.params['ref'] as JsonObject), name: native } } : {}
    case 'resource':
      return {}
  }
}

/** Progress goes back under the caller's own token; nobody else sees it, and nobody who did not ask. */
function progressOf(params: JsonObject, context: Context): UpstreamRequest['onProgress'] {
  const { emit } = context
  const token = metaOf(params)?.['progressToken']
  if (!emit || token === undefined) return undefined
  return ({ method, params: progress }) => emit({ method, params: { ...progress, progressToken: token } })
}
