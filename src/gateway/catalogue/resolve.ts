import { couldBelong } from '../../aggregation/conflicts.ts'
import type { Backend } from '../../backends/backend.ts'
import type { Caller, EntryCall } from '../../model/call.ts'
import type { Cancellation } from '../../model/cancellation.ts'
import type { BackendEntry, Catalogue, Entry } from '../../model/catalogue.ts'
import { GatewayError, JSONRPC } from '../../model/errors.ts'
import type { BackendId, NativeName, ShownName } from '../../model/ids.ts'
import type { AggregationSettings } from '../../model/settings.ts'
import { clip } from '../../protocol/clip.ts'
import { skillsOf } from '../extensions/declared.ts'
import type { CatalogueKeeper } from './keeper.ts'
import type { LinkMemory } from './link-memory.ts'
import { resolveResource } from './templates.ts'

/** Finds the entry that a call means. */
export class Resolver {
  readonly #keeper: CatalogueKeeper
  readonly #backends: readonly Backend[]
  readonly #links: LinkMemory
  readonly #settings: AggregationSettings

  constructor(keeper: CatalogueKeeper, backends: readonly Backend[], links: LinkMemory, settings: AggregationSettings) {
    this.#keeper = keeper
    this.#backends = backends
    this.#links = links
    this.#settings = settings
  }

  /** What is listed, or was shown to this caller; without waiting. */
  now(call: EntryCall, caller: Caller): Entry | undefined {
    if (call.kind === 'resource' && this.#keeper.withholds(call.uri, caller)) return undefined
    const entry = findEntry(this.#keeper.view(caller), call)
    // Filters bind clients, not steps.
    if (entry) return entry.visibility === 'hidden' && !caller.step ? undefined : entry
    return call.kind === 'resource' ? this.#linked(call.uri, caller) : undefined
  }

  /**
   * A call that comes before its backend has been listed, or merged after that, waits as the first list does.
   * `undefined`: nothing of that name. Throws `BACKEND_UNREACHABLE` for a name that only a backend could have that has
   * never answered (of those that `mightHave` it for this caller), and `CONSENT_NEEDED` for one whose backend does not let this caller in.
   */
  async late(
    call: EntryCall,
    caller: Caller,
    signal: Cancellation,
    mightHave: (backend: BackendId) => boolean = () => true,
  ): Promise<Entry | undefined> {
    await this.#keeper.forList(caller)
    const entry = this.now(call, caller)
    if (entry || (call.kind !== 'tool' && call.kind !== 'prompt')) return entry
    const able = this.#backends.filter(
      ({ spec }) => couldBelong(call.name, spec.id, this.#settings, this.#backends.length) && mightHave(spec.id),
    )
    const absent = able.find(({ lists }) => lists === undefined)
    const closed = able.find((backend) => backend.turnsAway(caller))
    // Its user may be back from the page by now.
    if (closed) await closed.enter(caller, signal)
    else if (absent) await absent.wake(signal)
    else if (!(await this.#lookAgain(call, caller, signal))) return undefined
    await this.#keeper.forList(caller)
    return this.now(call, caller)
  }

  /**
   * Goes in, as this caller, wherever they are turned away and one of these names could lead: shown ones, or
   * `backend.tool`. False: they are turned away nowhere. Throws `CONSENT_NEEDED`.
   */
  async enter(names: ReadonlySet<string>, caller: Caller, signal: Cancellation): Promise<boolean> {
    const closed = this.#backends.filter((backend) => {
      const { id } = backend.spec
      const leadsThere = (name: string): boolean =>
        name.startsWith(`${id}.`) || couldBelong(name, id, this.#settings, this.#backends.length)
      return backend.turnsAway(caller) && [...names].some(leadsThere)
    })
    for (const backend of closed) await backend.enter(caller, signal)
    return closed.length > 0
  }

  /** Asks those that could have it and do not announce what is new. Whether any was asked. */
  async #lookAgain(call: { kind: 'tool' | 'prompt'; name: string }, caller: Caller, signal: Cancellation) {
    const asked = this.#backends
      .filter(({ spec }) => couldBelong(call.name, spec.id, this.#settings, this.#backends.length))
      .map((backend) => backend.lookAgain(caller, call.kind === 'tool' ? 'tools' : 'prompts', signal))
      .filter((answer) => answer !== undefined)
    await Promise.all(asked)
    return asked.length > 0
  }

  /**
   * Where a resource could be that nobody lists and no result has shown: with the backends that own resources of its
   * scheme, in configured order.
   */
  byScheme(uri: string, caller: Caller): BackendEntry[] {
    const scheme = schemeOf(uri)
    if (scheme === undefined || this.#keeper.withholds(uri, caller)) return []
    const { resources, templates } = this.#keeper.view(caller)
    const owners = new Set<BackendId>()
    for (const { shown, route } of [...resources.values(), ...templates.values()]) {
      if (schemeOf(shown) === scheme) owners.add(route.backend)
    }
    // Servers need not list the files of their skills.
    if (scheme === 'skill') for (const backend of this.#backends) if (skillsOf(backend)) owners.add(backend.spec.id)
    return this.#backends.filter(({ spec }) => owners.has(spec.id)).map(({ spec }) => unlisted(uri, spec.id))
  }

  #linked(uri: string, { owner }: Caller): BackendEntry | undefined {
    const backend = this.#links.find(owner, uri)
    return backend === undefined ? undefined : unlisted(uri, backend)
  }
}

function findEntry(catalogue: Catalogue, call: EntryCall): Entry | undefined {
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

/** A resource that no list names. */
function unlisted(uri: string, backend: BackendId): BackendEntry {
  return {
    shown: uri as ShownName,
    route: { kind: 'backend', backend, native: uri as NativeName },
    visibility: 'listed',
    definition: { uri },
  }
}

function schemeOf(uri: string): string | undefined {
  return /^[A-Za-z][A-Za-z0-9+.-]*(?=:)/.exec(uri)?.[0].toLowerCase()
}

/** Unknown and hidden entries answer alike, so that nobody can probe for what they may not see. */
export function unknownEntry(call: EntryCall, { era }: Caller): GatewayError {
  switch (call.kind) {
    case 'tool':
      return new GatewayError('NOT_AVAILABLE', `Unknown tool: ${clip(call.name)}`)
    case 'prompt':
      return new GatewayError('NOT_AVAILABLE', `Unknown prompt: ${clip(call.name)}`)
    case 'resource': {
      const jsonrpc = era === 'legacy' ? JSONRPC.resourceNotFoundLegacy : JSONRPC.invalidParams
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
