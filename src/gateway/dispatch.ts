import type { Backend } from '../backends/backend.ts'
import type { Call, Context, Core, EntryCall, Outcome } from '../model/call.ts'
import { Cancellation } from '../model/cancellation.ts'
import type { BackendEntry, Entry } from '../model/catalogue.ts'
import { backendOf } from '../model/catalogue.ts'
import { GatewayError } from '../model/errors.ts'
import type { BackendId } from '../model/ids.ts'
import { errorFor } from './backend-error.ts'
import type { BackendCallParts } from './call-backend.ts'
import { callEntry } from './call-backend.ts'
import type { BeyondParts } from './extensions/beyond.ts'
import { invokeBeyond } from './extensions/beyond.ts'
import type { CatalogueKeeper } from './catalogue/keeper.ts'
import type { PolicyGate } from './policy/gate.ts'
import { callComposite, type CompositeCallParts } from './workflows/call-composite.ts'
import { unknownEntry } from './catalogue/resolve.ts'
import type { Composite } from './workflows/compiled-composites.ts'

export interface DispatchParts extends BackendCallParts {
  keeper: CatalogueKeeper
  backends: ReadonlyMap<BackendId, Backend>
  lasting: Pick<Core, 'watch' | 'watchTasks'>
  /** Absent: everybody may do everything. */
  gate: PolicyGate | undefined
  beyond: BeyondParts
  composites: CompositeCallParts
}

/** The innermost core: finds the entry, follows its route. */
export function dispatcher(parts: DispatchParts): Core {
  const { keeper, resolver, backends, lasting, beyond, gate } = parts
  return {
    async catalogue(caller, occasion) {
      const catalogue = occasion === 'welcome' ? await keeper.forWelcome(caller) : await keeper.forList(caller)
      return { catalogue, connecting: keeper.pending > 0, hints: keeper.hints(caller) }
    },
    ...lasting,
    async follow(uri, caller, listener) {
      const call = { kind: 'resource', uri, params: {} } as const
      const entry = resolver.now(call, caller) ?? (await resolver.late(call, caller, new Cancellation()))
      const owner = entry && backendOf(entry)
      const backend = owner === undefined ? undefined : backends.get(owner)
      if (!entry || !backend) throw unknownEntry(call, caller)
      gate?.check(entry, call, caller)
      return backend.follow(caller, uri, listener)
    },
    invoke(call, context) {
      switch (call.kind) {
        case 'tool':
        case 'prompt':
        case 'resource':
        case 'complete': {
          const entry = resolver.now(call, context)
          return entry ? take(entry, call, context) : invokeLate(call, context)
        }
        default:
          return invokeFurther(call, context)
      }
    },
  }

  async function invokeFurther(call: Exclude<Call, EntryCall>, context: Context): Promise<Outcome> {
    if (gate) checkBeyond(call)
    try {
      return await invokeBeyond(call, context, beyond)
    } catch (error) {
      throw errorFor(error, context)
    }
  }

  async function invokeLate(call: EntryCall, context: Context): Promise<Outcome> {
    const entry = await late(call, context)
    if (entry) return take(entry, call, context)
    if (call.kind === 'resource') return readUnlisted(call.uri, call, context)
    throw unknownEntry(call, context)
  }

  /** Which backend a name leads to is no business of those who could not use it. */
  function late(call: EntryCall, context: Context): Promise<Entry | undefined> {
    const mightHave = gate && ((backend: BackendId) => gate.mightHave(call, backend, context))
    return resolver.late(call, context, context.signal, mightHave)
  }

  function take(entry: Entry, call: EntryCall, context: Context): Promise<Outcome> {
    const { route } = entry
    switch (route.kind) {
      case 'backend': {
        const backend = backends.get(route.backend)
        if (!backend) return Promise.reject(unknownEntry(call, context))
        try {
          gate?.check(entry, call, context)
        } catch (error) {
          return Promise.reject(error)
        }
        return callEntry(backend, entry as BackendEntry, call, context, parts)
      }
      case 'workflow':
        return takeComposite(entry, route.workflow, call, context)
    }
  }

  async function takeComposite(entry: Entry, workflow: string, call: EntryCall, context: Context): Promise<Outcome> {
    const { step } = context
    // Workflows run each other as steps of a kind of their own.
    if (call.kind !== 'tool' || (step && step.enters !== workflow)) throw unknownEntry(call, context)
    gate?.check(entry, call, context)
    if (step) return ENTERED
    return callComposite(await compositeOf(workflow, call, context), call, context, parts.composites)
  }

  /**
   * What this caller sees may not be known yet: one that cannot be called waits as the first list does, or sends its user to
   * sign in where its tools are. A run that goes on sends him there when it comes to that.
   */
  async function compositeOf(workflow: string, call: EntryCall, context: Context): Promise<Composite> {
    const now = (): Composite | undefined => keeper.composite(workflow, context)
    const goesOn = call.params['requestState'] !== undefined
    if (now()?.status.kind !== 'ready') await keeper.forList(context)
    const listed = now()
    if (listed && listed.status.kind !== 'ready' && !goesOn) {
      const { needs } = listed.compiled
      if (await resolver.enter(needs, context, context.signal)) await keeper.forList(context)
    }
    const composite = now()
    if (!composite) throw unknownEntry(call, context)
    return composite
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

/** A workflow within a workflow may be run: that is what its parent does. */
const ENTERED: Outcome = { kind: 'result', value: { content: [] }, era: 'legacy' }

/** Policies have no words for the methods of vendors. Skills are resources; tasks belong to whoever began them. */
function checkBeyond({ kind }: Call): void {
  if (kind !== 'vendor') return
  throw new GatewayError('METHOD_UNKNOWN', 'Method not found: the authorization policy cannot speak of it')
}
