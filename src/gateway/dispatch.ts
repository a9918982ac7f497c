import type { Backend } from '../backends/backend.ts'
import type { Context, Core, EntryCall, Outcome } from '../model/call.ts'
import { Cancellation } from '../model/cancellation.ts'
import type { Entry } from '../model/catalogue.ts'
import { GatewayError } from '../model/errors.ts'
import type { BackendId } from '../model/ids.ts'
import { errorFor } from './backend-error.ts'
import type { BackendCallParts } from './call-backend.ts'
import { callEntry } from './call-backend.ts'
import type { BeyondParts } from './extensions/beyond.ts'
import { invokeBeyond } from './extensions/beyond.ts'
import type { CatalogueKeeper } from './catalogue/keeper.ts'
import { unknownEntry } from './catalogue/resolve.ts'

export interface DispatchParts extends BackendCallParts {
  keeper: CatalogueKeeper
  backends: ReadonlyMap<BackendId, Backend>
  lasting: Pick<Core, 'watch' | 'watchTasks'>
  beyond: BeyondParts
}

/** The innermost core: finds the entry, follows its route. */
export function dispatcher(parts: DispatchParts): Core {
  const { keeper, resolver, backends, lasting, beyond } = parts
  return {
    async catalogue(caller, occasion) {
      const catalogue = occasion === 'welcome' ? await keeper.forWelcome(caller) : await keeper.forList(caller)
      return { catalogue, connecting: keeper.pending > 0, hints: keeper.hints(caller) }
    },
    ...lasting,
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
            throw errorFor(error, context)
          }
      }
    },
  }

  async function invokeEntry(call: EntryCall, context: Context): Promise<Outcome> {
    const entry = resolver.now(call, context) ?? (await resolver.late(call, context, context.signal))
    if (entry) return take(entry, call, context)
    if (call.kind === 'resource') return readUnlisted(call.uri, call, context)
    throw unknownEntry(call, context)
  }

  async function take(entry: Entry, call: EntryCall, context: Context): Promise<Outcome> {
    const { route } = entry
    switch (route.kind) {
      case 'backend': {
        const backend = backends.get(route.backend)
        if (!backend) throw unknownEntry(call, context)
        return callEntry(backend, entry, call, context, parts)
      }
    }
  }

  /** Servers link to resources that they do not list: every one that could own it is asked, until one has it. */
  async function readUnlisted(uri: string, call: EntryCall, context: Context): Promise<Outcome> {
    for (const entry of resolver.byScheme(uri, context)) {
      try {
        return await take(entry, call, context)
      } catch (error) {
        if (!(error instanceof GatewayError) || error.code !== 'BACKEND_ERROR') throw error
      }
    }
    throw unknownEntry(call, context)
  }
}
