import type { Backend } from '../backends/backend.ts'
import type { UpstreamRequest } from '../backends/leg.ts'
import type { Context, Core, EntryCall, Outcome } from '../model/call.ts'
import { Cancellation } from '../model/cancellation.ts'
import type { Entry } from '../model/catalogue.ts'
import { GatewayError, JSONRPC } from '../model/errors.ts'
import type { BackendId } from '../model/ids.ts'
import { linksIn } from '../protocol/links.ts'
import { paramHeaderMismatch, paramHeadersOf } from '../protocol/param-headers.ts'
import type { BeyondParts } from './extensions/beyond.ts'
import { invokeBeyond } from './extensions/beyond.ts'
import type { CatalogueKeeper } from './keeper.ts'
import type { LinkMemory } from './link-memory.ts'
import { outcomeOf } from './outcome.ts'
import type { Parking } from './questions/parking.ts'
import { withoutUrlRequired } from './questions/url-required.ts'
import type { Resolver } from './resolve.ts'
import { unknownEntry } from './resolve.ts'
import type { ToolCalls } from './tasks/tool-call.ts'
import { callTool } from './tasks/tool-call.ts'
import { requestFor } from './upstream.ts'

export interface DispatchParts {
  keeper: CatalogueKeeper
  resolver: Resolver
  backends: ReadonlyMap<BackendId, Backend>
  watch: Core['watch']
  parking: Parking
  links: LinkMemory
  toolCalls: ToolCalls
  beyond: BeyondParts
}

/** The innermost core: finds the entry, follows its route. */
export function dispatcher(parts: DispatchParts): Core {
  const { keeper, resolver, backends, watch, parking, links, toolCalls, beyond } = parts
  return {
    async catalogue(caller, occasion) {
      const catalogue = occasion === 'welcome' ? await keeper.forWelcome(caller) : await keeper.forList(caller)
      return { catalogue, connecting: keeper.pending > 0 }
    },
    watch,
    async follow(uri, caller, listener) {
      const call = { kind: 'resource', uri, params: {} } as const
      const entry = resolver.now(call, caller) ?? (await resolver.late(call, caller, new Cancellation()))
      const backend = entry && backends.get(entry.route.backend)
      if (!backend) throw unknownEntry(call, caller)
      return backend.follow(caller, uri, listener)
    },
    async invoke(call, context) {
      switch (call.kind) {
        case 'tool':
        case 'prompt':
        case 'resource':
        case 'complete':
          return invokeEntry(call, context)
        default:
          try {
            return await invokeBeyond(call, context, beyond)
          } catch (error) {
            throw withoutUrlRequired(forEra(error, context), context.profile)
          }
      }
    },
  }

  async function invokeEntry(call: EntryCall, context: Context): Promise<Outcome> {
    const entry = resolver.now(call, context) ?? (await resolver.late(call, context, context.signal))
    if (entry) return follow(entry, call, context)
    if (call.kind === 'resource') return readUnlisted(call.uri, call, context)
    throw unknownEntry(call, context)
  }

  async function follow(entry: Entry, call: EntryCall, context: Context): Promise<Outcome> {
    const { route } = entry
    switch (route.kind) {
      case 'backend': {
        const backend = backends.get(route.backend)
        if (!backend) throw unknownEntry(call, context)
        if (context.header) checkHeaders(entry, call, context.header)
        try {
          return await callBackend(backend, entry, call, context)
        } catch (error) {
          throw withoutUrlRequired(forEra(error, context), context.profile)
        }
      }
    }
  }

  async function callBackend(backend: Backend, entry: Entry, call: EntryCall, context: Context): Promise<Outcome> {
    const request = requestFor(call, entry, context)
    const run = async (asked: UpstreamRequest): Promise<Outcome> => {
      const reply = call.kind === 'tool' ? callTool(backend, entry, asked, toolCalls) : backend.call(asked)
      const outcome = outcomeOf(await reply, context, backend.spec.id)
      if (outcome.kind === 'result') links.remember(context.owner, linksIn(outcome.value), backend.spec.id)
      return outcome
    }
    const parks = context.era === 'modern' && backend.servingEra('modern') === 'legacy'
    try {
      return await (parks ? parking.invoke(call, context, request, run) : run(request))
    } catch (error) {
      if (!isHeaderMismatch(error)) throw error
      // The backend has refused a header, not run the call: the tool has changed under us.
      await backend.relist(context.signal)
      const fresh = (await resolver.late(call, context, context.signal)) ?? entry
      return run(requestFor(call, fresh, context))
    }
  }

  /** Servers link to resources that they do not list: every one that could own it is asked, until one has it. */
  async function readUnlisted(uri: string, call: EntryCall, context: Context): Promise<Outcome> {
    for (const entry of resolver.byScheme(uri, context)) {
      try {
        return await follow(entry, call, context)
      } catch (error) {
        if (!(error instanceof GatewayError) || error.code !== 'BACKEND_ERROR') throw error
      }
    }
    throw unknownEntry(call, context)
  }
}

/** Arguments that stand in headers too must say the same in both (2026-07-28, "Custom Headers from Tool Parameters"). */
function checkHeaders({ definition }: Entry, call: EntryCall, header: (name: string) => string | undefined): void {
  if (call.kind !== 'tool') return
  const mirrored = paramHeadersOf(definition)
  if (typeof mirrored !== 'object') return
  const mismatch = paramHeaderMismatch(mirrored, header, call.params)
  if (mismatch !== undefined) throw new GatewayError('HEADER_MISMATCH', `Bad Request: ${mismatch}`)
}

function isHeaderMismatch(error: unknown): boolean {
  return error instanceof GatewayError && error.code === 'BACKEND_ERROR' && error.jsonrpc === JSONRPC.headerMismatch
}

/** Codes of one era mean nothing, or something else, in the other. What went wrong between us and a backend is ours. */
function forEra(error: unknown, { era }: Context): unknown {
  if (!(error instanceof GatewayError) || error.code !== 'BACKEND_ERROR') return error
  const { jsonrpc, message } = error
  if (jsonrpc === JSONRPC.headerMismatch || jsonrpc === JSONRPC.unsupportedProtocolVersion) {
    return new GatewayError('BACKEND_PROTOCOL', `the backend refused the gateway's request: ${message}`, {
      cause: error,
    })
  }
  if (jsonrpc === JSONRPC.missingClientCapability && era === 'legacy') {
    return new GatewayError('BACKEND_PROTOCOL', `${message} (the client has not declared what this needs)`, {
      cause: error,
    })
  }
  return error
}
