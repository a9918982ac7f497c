import { expect, test, vi } from 'vitest'
import { tool } from '../../../test/support/aggregation.ts'
import type { Backend } from '../../backends/backend.ts'
import type { Apart } from '../../backends/offer/apart.ts'
import { loadConfig } from '../../config/load.ts'
import type { Listing } from '../../backends/offer/lists.ts'
import type { NativeLists } from '../../model/backend.ts'
import { GATEWAY_CALLER } from '../../model/call.ts'
import type { OwnerKey } from '../../model/ids.ts'
import { backendId } from '../../model/ids.ts'
import { Telemetry } from '../../telemetry/events.ts'
import { DefinitionGuard, DefinitionNews } from './definition-guard.ts'
import { DEFAULT_WORKFLOW_LIMITS } from '../../model/settings.ts'
import { Composites } from '../workflows/composites.ts'
import { CatalogueKeeper } from './keeper.ts'

const MINE: Apart = { owner: 'session:me' as OwnerKey, profile: '' }
const offer = (...names: string[]): NativeLists => ({
  tools: names.map((name) => tool(name)),
  prompts: [],
  resources: [],
  templates: [],
})

const listing: Listing = {
  lists: offer('a'),
  hints: {
    tools: { ttlMs: 900, cacheScope: 'public' },
    prompts: undefined,
    resources: undefined,
    templates: undefined,
  },
  at: performance.now(),
  leg: { capabilities: { tools: { listChanged: true } }, hears: true },
}

/** A keeper over one backend whose lists the test sets. */
async function kept() {
  const { config } = await loadConfig(['-'], { stdin: JSON.stringify({ backends: [{ name: 'b', command: 'x' }] }) })
  let changed = () => {}
  let ownChanged = (_apart: Apart) => {}
  let own: NativeLists | undefined
  const backend = {
    spec: { id: backendId('b') },
    state: { kind: 'ready' },
    reachable: true,
    lists: offer('a'),
    listsApart: () => own,
    apart: [],
    prepare: () => undefined,
    freshen: () => {},
    listingFor: () => listing,
    subscribe: (listener: typeof changed) => {
      changed = listener
      return () => {}
    },
    subscribeApart: (listener: typeof ownChanged) => {
      ownChanged = listener
      return () => {}
    },
  }
  const telemetry = new Telemetry()
  const notes: string[] = []
  telemetry.subscribe((name, data) => {
    if (name === 'catalogue.note') notes.push((data as { message: string }).message)
  })
  const told: { before: string[]; after: string[]; apart: Apart | undefined }[] = []
  const keeper = new CatalogueKeeper({
    backends: [backend as unknown as Backend],
    settings: config!.aggregation,
    telemetry,
    guard: new DefinitionGuard(undefined, new DefinitionNews(telemetry)),
    composites: new Composites([], DEFAULT_WORKFLOW_LIMITS),
    version: 1,
    claims: undefined,
    onChange: (before, after, apart) =>
      told.push({ before: [...before.tools.keys()], after: [...after.tools.keys()], apart }),
  })
  return {
    keeper,
    told,
    notes,
    /** What it says next is the same as before. */
    repeat: () => changed(),
    change: async (lists: NativeLists) => {
      backend.lists = lists
      const { version } = keeper.catalogue
      changed()
      await vi.waitUntil(() => keeper.catalogue.version > version)
    },
    changeOwn: (lists: NativeLists) => {
      own = lists
      ownChanged(MINE)
    },
  }
}

test('an owner is told of a change of their own that comes after one for everybody', async () => {
  const { told, change, changeOwn } = await kept()
  changeOwn(offer('a', 'mine'))
  await change(offer('a', 'b'))
  changeOwn(offer('a', 'mine', 'more'))
  expect(told.at(-1)).toEqual({ before: ['a', 'mine'], after: ['a', 'mine', 'more'], apart: MINE })
})

test('what has been told is not remembered without bound', async () => {
  const { notes, change } = await kept()
  const nameless = (from: number, count: number): NativeLists => ({
    ...offer('a'),
    tools: Array.from({ length: count }, (_, i) => ({ name: `bad${from + i}` })),
  })
  await change(nameless(0, 1))
  await change(nameless(0, 1))
  expect(notes).toHaveLength(1)
  await change(nameless(1, 1500))
  await change(nameless(0, 1))
  expect(notes.filter((note) => note === notes[0])).toHaveLength(2)
})

test('a list is as fresh as its backends say, and private where callers see different things', async () => {
  const { keeper, changeOwn } = await kept()
  const anybody = { ...GATEWAY_CALLER, owner: 'session:any' as OwnerKey }
  expect(keeper.hints(anybody)).toMatchObject({
    tools: { ttlMs: 900, cacheScope: 'public' },
    prompts: { ttlMs: 5000, cacheScope: 'public' },
  })
  changeOwn(offer('a', 'mine'))
  expect(keeper.hints(anybody).prompts).toEqual({ ttlMs: 5000, cacheScope: 'private' })
})

test('nothing is built anew when a backend says the same again', async () => {
  const { keeper, told, change, repeat } = await kept()
  await change(offer('a', 'b'))
  const { catalogue } = keeper
  const before = told.length
  repeat()
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(keeper.catalogue).toBe(catalogue)
  expect(told).toHaveLength(before)
})
