import type { JsonValue } from '../../model/json.ts'
import {
  type Created,
  DEFAULT_LIST,
  type Erasure,
  isOpen,
  isRunId,
  type ListedRun,
  type Room,
  type RunBody,
  type RunFilter,
  type RunStore,
  type StoredRun,
} from './run-store.ts'

/** While somebody performs a run its body is shared with them; else it is text, which takes a fraction of the room. */
type Kept = ListedRun & Pick<StoredRun, 'definition'> & { readonly body?: RunBody | string }

/** Characters of values of ended runs that are kept; of more, those that ended first go first. */
const MOST_ENDED = 64_000_000

/** Runs of this process only. `parse`: JSON, numbers that JavaScript cannot hold included. */
export function createMemoryStore(parse: (text: string) => JsonValue, mostEnded = MOST_ENDED): RunStore {
  const runs = new Map<string, Kept>()
  const open = new Map<string, number>()
  let opened = 0
  /** Those that have ended and have values, the first to end first, and how long these are. */
  const valued = new Map<string, number>()
  let total = 0

  const count = (owner: string, by: 1 | -1) => {
    opened += by
    const left = (open.get(owner) ?? 0) + by
    if (left === 0) open.delete(owner)
    else open.set(owner, left)
  }

  return {
    create: (run, room) => {
      const created = admit(run, room)
      if (created === 'created') {
        put(run)
        if (isOpen(run)) count(run.owner, 1)
      }
      return Promise.resolve(created)
    },
    read: (id) => {
      const kept = runs.get(id)
      return Promise.resolve(kept && unpack(kept, parse))
    },
    update: (before, after) => {
      const kept = runs.get(before.id)
      if (kept?.revision !== before.revision) return Promise.resolve(false)
      put(after)
      if (isOpen(before) && !isOpen(after)) count(before.owner, -1)
      return Promise.resolve(true)
    },
    list: (filter) => {
      const found: ListedRun[] = []
      for (const kept of [...runs.values()].toReversed()) {
        if (matches(kept, filter)) found.push(listed(kept))
      }
      found.sort((one, other) => other.createdAt - one.createdAt)
      return Promise.resolve(found.slice(0, filter.limit ?? DEFAULT_LIST))
    },
    renew: (holder, until) => {
      const held: string[] = []
      for (const [id, kept] of runs) {
        if (kept.lease?.holder !== holder) continue
        runs.set(id, { ...kept, lease: { holder, until } })
        held.push(id)
      }
      return Promise.resolve(held)
    },
    erase: (erasure) => {
      erase(erasure)
      return Promise.resolve()
    },
    close: () => Promise.resolve(),
  }

  function admit({ id, owner }: StoredRun, room: Room): Created {
    if (runs.has(id) || !isRunId(id)) return 'exists'
    if (opened >= room.all) return 'full'
    return (open.get(owner) ?? 0) >= room.perOwner ? 'full for owner' : 'created'
  }

  function erase({ valuesBefore, runsBefore, keep }: Erasure): void {
    const ended: [number, string][] = []
    for (const [id, kept] of runs) {
      if (kept.endedAt === undefined) continue
      if (kept.endedAt < valuesBefore) eraseValues(id)
      if (kept.endedAt < runsBefore) runs.delete(id)
      else ended.push([kept.endedAt, id])
    }
    if (ended.length <= keep) return
    ended.sort(([one], [other]) => other - one)
    for (const [, id] of ended.slice(keep)) {
      eraseValues(id)
      runs.delete(id)
    }
  }

  function put(run: StoredRun): void {
    const kept = pack(run)
    runs.set(run.id, kept)
    if (isOpen(run) || typeof kept.body !== 'string') return
    total += kept.body.length - (valued.get(run.id) ?? 0)
    valued.set(run.id, kept.body.length)
    for (const id of valued.keys()) {
      if (total <= mostEnded) break
      eraseValues(id)
    }
  }

  function eraseValues(id: string): void {
    total -= valued.get(id) ?? 0
    valued.delete(id)
    const kept = runs.get(id)
    if (kept?.body === undefined) return
    const { body: _body, ...rest } = kept
    runs.set(id, rest)
  }
}

function pack(run: StoredRun): Kept {
  if (run.status === 'running' || run.lease || !run.body) return run
  return { ...run, body: JSON.stringify(run.body) }
}

function unpack(kept: Kept, parse: (text: string) => JsonValue): StoredRun {
  const { body, ...rest } = kept
  if (body === undefined) return rest
  return { ...rest, body: typeof body === 'string' ? (parse(body) as unknown as RunBody) : body }
}

function listed(kept: Kept): ListedRun {
  const { definition: _definition, body: _body, ...rest } = kept
  return rest
}

function matches(run: Kept, filter: RunFilter): boolean {
  const { owner, workflow, status, before, after, leaseBefore, openBefore } = filter
  return (
    (owner === undefined || run.owner === owner) &&
    (workflow === undefined || run.workflow === workflow) &&
    (status === undefined || status.includes(run.status)) &&
    (before === undefined || run.createdAt < before) &&
    (after === undefined || run.createdAt >= after) &&
    (leaseBefore === undefined || (run.lease !== undefined && run.lease.until < leaseBefore)) &&
    (openBefore === undefined || (run.openUntil !== undefined && run.openUntil < openBefore))
  )
}
