import { mergeInstructions } from '../../aggregation/instructions.ts'
import type { Decision } from '../../auth/policy/decision.ts'
import { decide, mayBeAllowed } from '../../auth/policy/decide.ts'
import { listFilter } from '../../auth/policy/list.ts'
import type { PolicyRequest, Target } from '../../auth/policy/request.ts'
import { targetOf } from '../../auth/policy/request.ts'
import type { PolicySet } from '../../auth/policy/set.ts'
import type { Caller, EntryCall } from '../../model/call.ts'
import type { Catalogue, Entry } from '../../model/catalogue.ts'
import { backendOf } from '../../model/catalogue.ts'
import { GatewayError } from '../../model/errors.ts'
import type { BackendId } from '../../model/ids.ts'
import { isObject } from '../../model/json.ts'
import type { Principal } from '../../model/principal.ts'
import type { Telemetry } from '../../telemetry/events.ts'
import { unknownEntry } from '../catalogue/resolve.ts'
import { told } from './told.ts'
import { Trial } from './trial.ts'

/** What a refusal says, by the action that was refused (contract 3). */
const DENIED = { tool: 'call', prompt: 'prompt', resource: 'read', template: 'read' } as const

/** No list names skills: they are asked about as what this template stands for. */
const ANY_SKILL = 'skill://{+path}'

/** The one predicate: whatever a list shows may be called with some arguments, and nothing else may be called. */
export class PolicyGate {
  readonly #set: PolicySet
  readonly #telemetry: Telemetry
  readonly #trial: Trial | undefined
  /** Of one catalogue, what callers see, by its tools: one object for all who see the same, while anybody does. */
  readonly #views = new WeakMap<Catalogue, WeakMap<Catalogue['tools'], Seen[]>>()
  /** Calls that were judged ahead of their turn, until it comes: Cedar takes its time. */
  readonly #ahead = new WeakMap<EntryCall, { entry: Entry; principal: Principal; decision: Decision }>()

  constructor(set: PolicySet, telemetry: Telemetry) {
    this.#set = set
    this.#telemetry = telemetry
    this.#trial = set.trial && new Trial(set.trial, telemetry)
  }

  /** The catalogue as this principal may see it. */
  async view(catalogue: Catalogue, principal: Principal): Promise<Catalogue> {
    const [tools, prompts, resources, templates] = await Promise.all([
      listFilter(this.#set, principal, 'tool', catalogue.tools),
      listFilter(this.#set, principal, 'prompt', catalogue.prompts),
      listFilter(this.#set, principal, 'resource', catalogue.resources),
      listFilter(this.#set, principal, 'template', catalogue.templates),
    ])
    const skilled = this.#skilled(catalogue, principal)
    let byTools = this.#views.get(catalogue)
    if (!byTools) this.#views.set(catalogue, (byTools = new WeakMap()))
    let views = byTools.get(tools)
    if (!views) byTools.set(tools, (views = []))
    const known = views.find(
      ({ view, skills }) =>
        view.prompts === prompts &&
        view.resources === resources &&
        view.templates === templates &&
        skills === skilled.join(),
    )
    if (known) return known.view
    const made = withInstructions({ ...catalogue, tools, prompts, resources, templates }, skilled)
    views.push({ view: made, skills: skilled.join() })
    this.#trial?.listed(catalogue, made, principal).catch((error: unknown) => {
      this.#telemetry.emit('internal.error', { incident: 'policies on trial', error })
    })
    return made
  }

  /** The backends that say something of themselves and may have skills for this caller. */
  #skilled({ instructionParts = [] }: Catalogue, principal: Principal): readonly BackendId[] {
    return instructionParts.flatMap(({ backend, skills }) => {
      const target = { kind: 'template', name: ANY_SKILL, backend } as const
      return skills && mayBeAllowed(this.#set, { principal, target, origin: 'client' }) ? [backend] : []
    })
  }

  /** Whether this caller may use the entry in this way. The call then goes on to `check` as it is. */
  allows(entry: Entry, call: EntryCall, caller: Caller): boolean {
    const decision = decide(this.#set, requestFor(entry, call, caller))
    this.#ahead.set(call, { entry, principal: caller.principal, decision })
    return decision.kind === 'allow'
  }

  /**
   * Throws what an unknown entry gives when this caller may not see the entry, and `POLICY_DENIED` when it may not use it
   * in this way.
   */
  check(entry: Entry, call: EntryCall, caller: Caller): void {
    const request = requestFor(entry, call, caller)
    const decision = this.#decidedAhead(entry, call, caller) ?? decide(this.#set, request)
    this.#trial?.decided(request, decision)
    if (decision.kind === 'allow') return
    const { principal, target } = request
    // What a step may not do is no secret: its author has named it.
    const listed = caller.step !== undefined || mayBeAllowed(this.#set, { principal, target, origin: 'client' })
    // Completion helps to find arguments: whoever may see the entry may have it.
    if (listed && call.kind === 'complete') return
    this.#tell(request, decision)
    if (!listed) throw unknownEntry(call, caller)
    throw new GatewayError('POLICY_DENIED', `${DENIED[target.kind]} denied by authorization policy`)
  }

  #tell(request: PolicyRequest, decision: Decision & { kind: 'deny' }): void {
    for (const { policy, message } of decision.faults) {
      this.#telemetry.emit('policy.fault', { ...told(request), policy, message })
    }
    if (decision.faults.length > 0 || !this.#telemetry.hears('policy.denied')) return
    this.#telemetry.emit('policy.denied', { ...told(request), by: decision.by })
  }

  /** What `allows` has found, once: whoever asks again may have changed the call. */
  #decidedAhead(entry: Entry, call: EntryCall, { principal }: Caller): Decision | undefined {
    const ahead = this.#ahead.get(call)
    if (!ahead) return undefined
    this.#ahead.delete(call)
    return ahead.entry === entry && ahead.principal === principal ? ahead.decision : undefined
  }

  /** Whether this caller may read a resource that no list names: a skill, or a file of one. */
  maySee(uri: string, backend: BackendId, { principal }: Caller): boolean {
    const target = { kind: 'resource', name: uri, backend } as const
    return decide(this.#set, { principal, target, origin: 'client' }).kind === 'allow'
  }

  /**
   * Whether a name that nobody has shown yet might be this caller's to use, of a backend that is away, say. What a
   * definition would say of itself is not known then.
   */
  mightHave(call: EntryCall, backend: BackendId, { principal }: Caller): boolean {
    if (call.kind !== 'tool' && call.kind !== 'prompt') return true
    const target = { kind: call.kind, name: call.name, backend }
    return mayBeAllowed(this.#set, { principal, target, origin: 'client' })
  }
}

/** What some callers see. `skills`: the backends of whose skills they may see some. */
interface Seen {
  view: Catalogue
  skills: string
}

/** What a backend says of itself is for those who see something of it. */
function withInstructions(view: Catalogue, skilled: readonly BackendId[]): Catalogue {
  const { instructions: whole, instructionParts, ...rest } = view
  if (whole === undefined || !instructionParts) return view
  const seen = new Set(skilled)
  for (const entries of [rest.tools, rest.prompts, rest.resources, rest.templates]) {
    for (const entry of entries.values()) {
      const backend = entry.visibility === 'listed' ? backendOf(entry) : undefined
      if (backend !== undefined) seen.add(backend)
    }
  }
  const parts = instructionParts.filter(({ backend }) => seen.has(backend))
  const instructions = mergeInstructions(parts)
  return instructions === undefined ? rest : { ...rest, instructions, instructionParts: parts }
}

function requestFor(entry: Entry, call: EntryCall, { principal, step }: Caller): PolicyRequest {
  const given = call.kind === 'complete' ? undefined : call.params['arguments']
  const target = targetFor(entry, call)
  return {
    principal,
    target,
    ...(step ? { origin: 'workflow', workflow: step.workflow } : { origin: 'client' }),
    arguments: isObject(given) ? given : undefined,
  }
}

/** What a template stands for is judged by the URI that is read, not by the template. */
function targetFor(entry: Entry, call: EntryCall): Target {
  switch (call.kind) {
    case 'tool':
    case 'prompt':
      return targetOf(call.kind, entry)
    case 'resource':
      return entry.shown === call.uri
        ? targetOf('resource', entry)
        : { kind: 'resource', name: call.uri, backend: backendOf(entry) }
    case 'complete':
      return targetOf(call.ref.type === 'prompt' ? 'prompt' : 'template', entry)
  }
}
