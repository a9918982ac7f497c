import type { Backend } from '../backends/backend.ts'
import type { Reply } from '../backends/leg.ts'
import type { Call, Context, Core, Outcome } from '../model/call.ts'
import type { Catalogue, Entry } from '../model/catalogue.ts'
import { GatewayError, JSONRPC } from '../model/errors.ts'
import type { BackendId } from '../model/ids.ts'
import { clip } from '../protocol/clip.ts'
import type { CatalogueKeeper } from './keeper.ts'
import type { Parking } from './questions/parking.ts'
import { withoutUrlRequired } from './questions/url-required.ts'
import { resolveResource } from './templates.ts'
import { requestFor } from './upstream.ts'

/** The innermost core: finds the entry, follows its route. */
export function dispatcher(
  keeper: CatalogueKeeper,
  backends: ReadonlyMap<BackendId, Backend>,
  watch: Core['watch'],
  parking: Parking,
): Core {
  return {
    async catalogue(caller, occasion) {
      const catalogue = occasion === 'welcome' ? await keeper.forWelcome(caller) : await keeper.forList(caller)
      return { catalogue, connecting: keeper.pending > 0 }
    },
    watch,
    async invoke(call, context) {
      const { route } = resolveEntry(keeper.view(context), call) ?? (await lateEntry(keeper, call, context))
      switch (route.kind) {
        case 'backend': {
          const backend = backends.get(route.backend)
          if (!backend) throw unknownEntry(call, context)
          const request = requestFor(call, route.native, context, route.backend)
          try {
            if (context.era === 'modern' && backend.servingEra('modern') === 'legacy') {
              return await parking.invoke(call, context, request, async (last) => outcomeOf(await backend.call(last)))
            }
            return outcomeOf(await backend.call(request))
          } catch (error) {
            throw withoutUrlRequired(error, context.profile)
          }
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
  const entry = resolveEntry(await keeper.forList(context), call)
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

function outcomeOf(reply: Reply): Outcome {
  const asks = reply.kind === 'result' && reply.era === 'modern' && reply.value['resultType'] === 'input_required'
  return asks ? { kind: 'needs-input', value: reply.value } : reply
}
