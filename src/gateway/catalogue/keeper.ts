import type { Claims } from '../../aggregation/claims.ts'
import { claimsOf } from '../../aggregation/claims.ts'
import { buildCatalogue } from '../../aggregation/build.ts'
import { mergeHints } from '../../aggregation/hints.ts'
import { estimateTokens } from '../../aggregation/tokens.ts'
import type { Backend } from '../../backends/backend.ts'
import type { Apart } from '../../backends/offer/apart.ts'
import { audienceKey } from '../../backends/offer/apart.ts'
import { hintNow } from '../../backends/offer/lists-age.ts'
import type { Caller } from '../../model/call.ts'
import type { CacheHint, Catalogue, ListKind } from '../../model/catalogue.ts'
import { principalKey } from '../../model/principal.ts'
import { isSignInTool } from '../../model/sign-in.ts'
import type { AggregationSettings } from '../../model/settings.ts'
import type { Telemetry } from '../../telemetry/events.ts'
import { mayHave } from '../workflows/away.ts'
import type { Composite } from '../workflows/compiled-composites.ts'
import type { Composites, Joined } from '../workflows/composites.ts'
import { toolsOf, type Tools } from '../workflows/offers.ts'
import { CompositeNews } from './composite-news.ts'
import type { Admission, DefinitionGuard } from './definition-guard.ts'

/** The first list waits this long for a backend that is still connecting, once per backend. */
const FIRST_LIST_WAIT_MS = 2000
const WELCOME_WAIT_MS = 1000
/** Conflicts and dropped definitions that are told one by one; the rest is counted. */
const MAX_NOTES = 3
/** Notes are told once. Backends choose the names in them: beyond this many they are forgotten, and told again. */
const MAX_TOLD = 1000
/** Freshness that modern clients may assume at most; shorter while a backend is still connecting (contract 4). */
const TTL_MS = 5000
const TTL_CONNECTING_MS = 1000
/** Changes that come together make one catalogue. */
const COALESCE_MS = 5

export interface KeeperParts {
  backends: readonly Backend[]
  settings: AggregationSettings
  telemetry: Telemetry
  guard: DefinitionGuard
  composites: Composites
  version: number
  /** Names that are settled already: the configuration before this one gave the same. */
  claims: Claims | undefined
  /** With `apart`: only what they see has changed. */
  onChange: (before: Catalogue, after: Catalogue, apart?: Apart) => void
}

/** Keeps the catalogue of one generation up to date with its backends. */
export class CatalogueKeeper {
  readonly #backends: readonly Backend[]
  readonly #settings: AggregationSettings
  readonly #telemetry: Telemetry
  readonly #guard: DefinitionGuard
  readonly #composites: Composites
  readonly #news: CompositeNews
  readonly #onChange: KeeperParts['onChange']
  readonly #unsubscribe: (() => void)[]
  readonly #waitedFor = new Set<Backend>()
  /** Some of the backends show each principal something else. */
  readonly #perCaller: boolean
  readonly #toldNotes = new Set<string>()
  /** Catalogues of those who see something of their own, by owner or by audience. */
  readonly #views = new Map<string, View>()
  #claims: Claims = new Map()
  /** Shown names are settled: the first list has been given, or every backend has answered. */
  #settled = false
  readonly #started = Date.now()
  #timer: NodeJS.Timeout | undefined
  #built: Built
  /** What it was built from. */
  #sources: readonly unknown[] = []

  constructor({ backends, settings, telemetry, guard, composites, version, claims, onChange }: KeeperParts) {
    this.#backends = backends
    this.#perCaller = backends.some(({ perCaller }) => perCaller)
    this.#settings = settings
    this.#telemetry = telemetry
    this.#guard = guard
    this.#composites = composites
    this.#news = new CompositeNews(telemetry)
    this.#onChange = onChange
    if (claims) {
      this.#claims = claims
      this.#settled = true
    }
    this.#built = this.#build(version)
    for (const apart of backends.flatMap((backend) => backend.apart)) this.#look(apart)
    this.#unsubscribe = [
      ...backends.map((backend) => backend.subscribe(() => this.#rebuildSoon())),
      ...backends.map((backend) => backend.subscribeApart((apart) => this.#onChangeApart(apart))),
    ]
  }

  /** As it is now, without waiting. */
  get catalogue(): Catalogue {
    return this.#built.catalogue
  }

  /** As this caller sees it. */
  view(caller: Viewer): Catalogue {
    return this.#seenBy(caller).catalogue
  }

  #seenBy(caller: Viewer): Built {
    if (this.#views.size === 0) return this.#built
    const { owner, profile, principal } = caller
    const own = this.#perCaller && audienceKey({ profile: profile.key, principal: principalKey(principal) })
    const view = this.#views.get(owner) ?? (own ? this.#views.get(own) : undefined) ?? this.#views.get(profile.key)
    if (!view) return this.#built
    if (view.base !== this.#built) {
      view.base = this.#built
      view.built = this.#build(this.catalogue.version, view.apart)
    }
    return view.built
  }

  /** What the backends offer to this caller, and what of it is withheld. */
  admission(caller: Viewer): Admission {
    return this.#seenBy(caller).admission
  }

  /** Whether a resource that a backend lists is kept from this caller: no other way may lead to it. */
  withholds(uri: string, caller: Viewer): boolean {
    const { withheld } = this.admission(caller)
    return (
      withheld.some(({ kind, name }) => kind === 'resource' && name === uri) && !this.view(caller).resources.has(uri)
    )
  }

  /** A composite tool as it stands for this caller. */
  composite(workflow: string, caller: Viewer): Composite | undefined {
    return this.#seenBy(caller).composites.get(workflow)
  }

  /** All of them, as they stand for those who see nothing of their own. */
  get composites(): ReadonlyMap<string, Composite> {
    return this.#built.composites
  }

  /** What steps may call, of those who see nothing of their own. */
  get tools(): Tools {
    return this.#built.tools
  }

  /** What steps of this caller may call. */
  toolsFor(caller: Viewer): Tools {
    return this.#seenBy(caller).tools
  }

  #onChangeApart(apart: Apart): void {
    // What they were told of last; `view` would already show what is new.
    const before = this.#views.get(keyOf(apart))?.built ?? this.#built
    this.#look(apart)
    // Who sees something of their own besides sees this too.
    for (const view of this.#views.values()) if (isWithin(view.apart, apart)) view.base = undefined
    const after = this.#views.get(keyOf(apart))?.built ?? this.#built
    this.#onChange(before.catalogue, after.catalogue, apart)
  }

  #look(apart: Apart): void {
    if (this.#backends.some((backend) => backend.listsApart(apart))) {
      const built = this.#build(this.catalogue.version, apart)
      this.#views.set(keyOf(apart), { apart, base: this.#built, built })
    } else this.#views.delete(keyOf(apart))
  }

  /** Absent while names are not settled. */
  get claims(): Claims | undefined {
    return this.#settled ? this.#claims : undefined
  }

  /** Backends that have not answered or failed yet. */
  get pending(): number {
    return this.#backends.filter(({ state }) => state.kind === 'connecting').length
  }

  /** For a list: waits for backends that are still connecting, 2 s at most and once for each. */
  async forList(caller: Caller): Promise<Catalogue> {
    const fresh = this.#backends.filter(
      (backend) => backend.state.kind === 'connecting' && !this.#waitedFor.has(backend),
    )
    if (fresh.length > 0) {
      await Promise.race([
        Promise.all(fresh.map(answered)),
        new Promise((resolve) => setTimeout(resolve, FIRST_LIST_WAIT_MS).unref()),
      ])
      for (const backend of fresh) this.#waitedFor.add(backend)
    }
    await this.#prepare(caller)
    for (const backend of this.#backends) backend.freshen(caller)
    if (this.#timer) this.#rebuild()
    if (!this.#settled) this.#settle()
    return this.view(caller)
  }

  /** How long this caller may keep what they see now. A list that differs from caller to caller is private. */
  hints({ owner, profile, principal }: Viewer): Record<ListKind, CacheHint> {
    const now = performance.now()
    const own: CacheHint = {
      ttlMs: this.pending > 0 ? TTL_CONNECTING_MS : TTL_MS,
      cacheScope: this.#views.size > 0 ? 'private' : 'public',
    }
    const apart = { owner, profile: profile.key, principal: principalKey(principal) }
    const listings = this.#backends
      .filter(({ reachable }) => reachable)
      .map((backend) => backend.listingFor(apart))
      .filter((listing) => listing !== undefined)
    const hint = (kind: ListKind): CacheHint =>
      mergeHints(
        own,
        listings.map((listing) => hintNow(listing, kind, now)),
      )
    return {
      tools: hint('tools'),
      prompts: hint('prompts'),
      resources: hint('resources'),
      templates: hint('templates'),
    }
  }

  /** For the instructions of a first client: what has answered within a second of the start. */
  async forWelcome(caller: Caller): Promise<Catalogue> {
    const left = this.#started + WELCOME_WAIT_MS - Date.now()
    const connecting = this.#backends.filter(({ state }) => state.kind === 'connecting')
    if (left > 0 && connecting.length > 0) {
      await Promise.race([
        Promise.all(connecting.map(answered)),
        new Promise((resolve) => setTimeout(resolve, left).unref()),
      ])
    }
    if (this.#timer) this.#rebuild()
    return this.view(caller)
  }

  /** Finds out what callers like this one see. */
  async #prepare(caller: Caller): Promise<void> {
    if (caller.profile.key === '' && !this.#perCaller) return
    const unknown = this.#backends.map((backend) => backend.prepare(caller)).filter((wait) => wait !== undefined)
    if (unknown.length > 0) await Promise.all(unknown)
  }

  close(): void {
    clearTimeout(this.#timer)
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
  }

  #settle(): void {
    this.#settled = true
    this.#claims = this.#claimed()
  }

  #claimed(): Claims {
    const { catalogue, admission } = this.#built
    return claimsOf(catalogue, this.#claims, admission.contributions)
  }

  #rebuildSoon(): void {
    this.#timer ??= setTimeout(() => this.#rebuild(), COALESCE_MS)
  }

  #rebuild(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const sources = this.#backends.flatMap(({ lists, reachable, state }) => [lists, reachable, state.kind])
    if (sources.every((source, index) => source === this.#sources[index])) return
    this.#sources = sources
    const before = this.catalogue
    this.#built = this.#build(before.version + 1)
    if (this.#settled) this.#claims = this.#claimed()
    else if (this.pending === 0) this.#settle()
    this.#onChange(before, this.catalogue)
    this.#tell()
  }

  #build(version: number, apart?: Apart): Built {
    const offered = this.#backends.map((backend) => {
      const own = apart && backend.listsApart(apart)
      return { backend: backend.spec.id, lists: own ?? backend.lists, reachable: backend.reachable }
    })
    const admission = this.#guard.admit(offered, apart !== undefined)
    const { reserved } = this.#composites
    const merged = buildCatalogue(admission.contributions, this.#settings, this.#claims, version, reserved)
    const silent = this.#backends.filter((backend) => isSilent(backend, apart))
    const [settings, configured] = [this.#settings, this.#backends.length]
    const tools = toolsOf(merged, {
      settings,
      configured,
      approved: this.#guard.approves,
      silent: silent.map(({ spec }) => spec.id),
    })
    const joined = this.#composites.joinTo(merged, tools, mayHave(silent, settings, configured))
    return { ...joined, admission, tools }
  }

  /** Tells which composite tools can be called, and which cannot. */
  tellComposites(): void {
    this.#news.tell(this.composites, this.pending > 0)
  }

  #tell(): void {
    this.tellComposites()
    const { tools, prompts, resources, templates, notes, conflicts, version } = this.catalogue
    const news = [...notes, ...conflicts.map((conflict) => conflict.resolution)].filter(
      (note) => !this.#toldNotes.has(note),
    )
    if (this.#toldNotes.size + news.length > MAX_TOLD) this.#toldNotes.clear()
    for (const message of news.slice(0, MAX_TOLD)) this.#toldNotes.add(message)
    for (const message of news.slice(0, MAX_NOTES)) this.#telemetry.emit('catalogue.note', { message })
    if (news.length > MAX_NOTES) {
      const message = `and ${news.length - MAX_NOTES} more of this kind: "vmcp tools" shows them all`
      this.#telemetry.emit('catalogue.note', { message })
    }
    const listed = [...tools.values()].filter((entry) => entry.visibility === 'listed')
    this.#telemetry.emit('catalogue.changed', {
      version,
      tools: listed.length,
      prompts: prompts.size,
      resources: resources.size + templates.size,
      tokens: listed.reduce((sum, entry) => sum + estimateTokens(entry.definition), 0),
      pending: this.pending,
    })
  }
}

/** A catalogue and what it was made from, that nobody may have one without the other: a filtered copy has no composite tools. */
interface Built extends Joined {
  readonly admission: Admission
  /** What steps may call. */
  readonly tools: Tools
}

/** Whatever decides which catalogue a caller sees. */
type Viewer = Pick<Caller, 'owner' | 'profile' | 'principal'>

interface View {
  apart: Apart
  /** What it was built beside. `undefined`: what it was built from has changed. */
  base: Built | undefined
  built: Built
}

/** Whether `inner` are some of those whom `outer` means. */
function isWithin(inner: Apart, outer: Apart): boolean {
  if (outer.owner !== undefined || inner.profile !== outer.profile) return false
  return outer.principal === undefined || inner.principal === outer.principal
}

/** Whether it has not told what it offers: to anybody, or to those who have to sign in for that. */
function isSilent(backend: Backend, apart: Apart | undefined): boolean {
  const lists = (apart && backend.listsApart(apart)) ?? backend.lists
  if (backend.lists === undefined || lists?.tools.some(isSignInTool)) return true
  return backend.perCaller && (apart === undefined || backend.listsApart(apart) === undefined)
}

function keyOf(apart: Apart): string {
  return apart.owner ?? audienceKey(apart)
}

async function answered(backend: Backend): Promise<void> {
  if (backend.state.kind !== 'connecting') return
  await new Promise<void>((resolve) => {
    const unsubscribe = backend.subscribe(() => {
      if (backend.state.kind === 'connecting') return
      unsubscribe()
      resolve()
    })
  })
}
