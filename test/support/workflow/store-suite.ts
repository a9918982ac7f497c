import { expect, test } from 'vitest'

import type { JsonValue } from '../../../src/model/json.ts'
import type { RunState, RunStatus } from '../../../src/workflow/run-state.ts'
import type { RunStore, StoredRun } from '../../../src/workflow/store/run-store.ts'

export const ROOM = { all: 10_000, perOwner: 1_000 }

const DEFINITION = { hash: 'hash', value: { name: 'deploy', steps: [] } }

export function storedRun(id: string, more: Partial<StoredRun> = {}): StoredRun {
  return {
    id,
    owner: 'ann',
    workflow: 'deploy',
    definition: DEFINITION,
    revision: 1,
    status: 'running',
    createdAt: 1_000,
    updatedAt: 1_000,
    returns: false,
    body: bodyOf({}),
    ...more,
  }
}

/** A store knows nothing of what a run is: any JSON will do. */
export const bodyOf = (run: JsonValue) => ({ run: run as unknown as RunState, ids: [], answered: {} })

const next = (run: StoredRun, more: Partial<StoredRun> = {}): StoredRun => ({
  ...run,
  revision: run.revision + 1,
  updatedAt: run.updatedAt + 1,
  ...more,
})

const ended = (run: StoredRun, endedAt: number, status: RunStatus = 'completed'): StoredRun => {
  const { lease: _lease, ...rest } = next(run, {
    status,
    endedAt,
    steps: [{ id: 'a', status: 'completed', ms: 5 }],
    failure: { kind: 'error', step: 'a' },
  })
  return rest
}

/** What every store promises. `open` gives an empty one, `close` is the suite's. */
export function describeStore(open: () => Promise<RunStore>): void {
  const withStore = (name: string, check: (store: RunStore) => Promise<void>) => {
    test(name, async () => {
      const store = await open()
      try {
        await check(store)
      } finally {
        await store.close()
      }
    })
  }

  withStore('gives back what it was given', async (store) => {
    const run = storedRun('a', {
      openUntil: 9_000,
      lease: { holder: 'me', until: 5_000 },
      returns: true,
      body: bodyOf({
        text: '"\u0000\ud83d\ude00\u2028',
        big: JSON.rawJSON('12345678901234567890'),
        none: null,
        list: [[], {}],
      }),
    })
    expect(await store.create(run, ROOM)).toBe('created')
    const read = await store.read('a')
    expect(read).toEqual(run)
    expect(JSON.stringify(read?.body)).toContain('12345678901234567890')
    expect(await store.read('b')).toBeUndefined()
  })

  withStore('an update replaces all that may change', async (store) => {
    let run = storedRun('a', {
      lease: { holder: 'me', until: 5_000 },
      body: bodyOf({ steps: [null, { x: 1 }], gone: 1 }),
    })
    await store.create(run, ROOM)
    const bodies: JsonValue[] = [
      { steps: [{ y: [1, 2, 3] }, { x: 1 }], late: true },
      { steps: [{ y: [1] }, { x: 1 }, 'more'], late: { deep: { er: null } } },
      JSON.parse('{"__proto__": {"polluted": true}, "steps": []}') as JsonValue,
      { status: 'done' },
    ]
    for (const body of bodies) {
      const { lease: _lease, ...rest } = run
      const after = next(rest, { status: 'suspended', openUntil: 7_000, body: bodyOf(body) })
      expect(await store.update(run, after)).toBe(true)
      expect(await store.read('a')).toEqual(after)
      expect(JSON.stringify((await store.read('a'))?.body?.run)).toBe(JSON.stringify(body))
      run = after
    }
    const over = ended(run, 8_000)
    await store.update(run, over)
    expect(await store.read('a')).toEqual(over)
  })

  withStore('of many who change the same revision, one does', async (store) => {
    const run = storedRun('a')
    await store.create(run, ROOM)
    const attempts = Array.from({ length: 20 }, (_, by) => store.update(run, next(run, { body: bodyOf({ by }) })))
    const won = (await Promise.all(attempts)).map((ok, by) => (ok ? by : -1)).filter((by) => by >= 0)
    expect(won).toHaveLength(1)
    expect(await store.read('a')).toMatchObject({ revision: 2, body: { run: { by: won[0] } } })
    expect(await store.update(storedRun('none'), next(storedRun('none')))).toBe(false)
  })

  withStore('an id is given once, and room is limited', async (store) => {
    const room = { all: 3, perOwner: 2 }
    expect(await store.create(storedRun('a'), room)).toBe('created')
    expect(await store.create(storedRun('a', { owner: 'bob' }), room)).toBe('exists')
    const second = storedRun('b')
    expect(await store.create(second, room)).toBe('created')
    expect(await store.create(storedRun('c'), room)).toBe('full for owner')
    expect(await store.create(storedRun('c', { owner: 'bob' }), room)).toBe('created')
    expect(await store.create(storedRun('d', { owner: 'cid' }), room)).toBe('full')
    await store.update(second, ended(second, 2_000))
    expect(await store.create(storedRun('d'), room)).toBe('created')
  })

  withStore('ids of a wrong form are those of no run', async (store) => {
    const hostile = [
      '',
      '\u0000',
      'a\u0000b',
      "' OR 1=1 --",
      '../../etc',
      '\ud800',
      'x'.repeat(100_000),
      '__proto__ ',
      'é',
    ]
    for (const id of hostile) {
      expect(await store.create(storedRun(id), ROOM)).toBe('exists')
      expect(await store.read(id)).toBeUndefined()
      expect(await store.update(storedRun(id), next(storedRun(id)))).toBe(false)
    }
    for (const id of ['__proto__', 'constructor', 'toString']) {
      expect(await store.read(id)).toBeUndefined()
      expect(await store.create(storedRun(id), ROOM)).toBe('created')
      expect((await store.read(id))?.id).toBe(id)
    }
    expect(await store.list({ owner: "ann' OR '1'='1" })).toEqual([])
  })

  withStore('lists by every filter, the newest first', async (store) => {
    const runs = [
      storedRun('a', { createdAt: 1, lease: { holder: 'x', until: 100 } }),
      storedRun('b', { createdAt: 2, owner: 'bob', workflow: 'other' }),
      storedRun('c', { createdAt: 3, status: 'suspended', openUntil: 50 }),
      storedRun('d', { createdAt: 4, lease: { holder: 'y', until: 10 } }),
    ]
    for (const run of runs) await store.create(run, ROOM)
    const ids = async (filter: Parameters<RunStore['list']>[0]) =>
      (await store.list(filter)).map(({ id }) => id).join('')
    expect(await ids({})).toBe('dcba')
    expect(await ids({ limit: 2 })).toBe('dc')
    expect(await ids({ owner: 'ann' })).toBe('dca')
    expect(await ids({ workflow: 'other' })).toBe('b')
    expect(await ids({ status: ['suspended', 'failed'] })).toBe('c')
    expect(await ids({ status: [] })).toBe('')
    expect(await ids({ before: 3, after: 2 })).toBe('b')
    expect(await ids({ leaseBefore: 100 })).toBe('d')
    expect(await ids({ openBefore: 51 })).toBe('c')
    const [first] = await store.list({})
    expect(first).toEqual({ ...runs[3], definition: undefined, body: undefined })
  })

  withStore('renews the leases of one holder, and no revision', async (store) => {
    await store.create(storedRun('a', { lease: { holder: 'x', until: 1 } }), ROOM)
    await store.create(storedRun('b', { lease: { holder: 'y', until: 1 } }), ROOM)
    await store.create(storedRun('c', { lease: { holder: 'x', until: 1 } }), ROOM)
    expect((await store.renew('x', 500)).toSorted()).toEqual(['a', 'c'])
    expect(await store.renew('nobody', 500)).toEqual([])
    expect(await store.read('a')).toMatchObject({ revision: 1, lease: { holder: 'x', until: 500 } })
    expect(await store.read('b')).toMatchObject({ lease: { holder: 'y', until: 1 } })
  })

  withStore('erases values first, then runs, and keeps as many as it is told', async (store) => {
    for (let at = 1; at <= 6; at++) {
      const run = storedRun(`r${at}`, { createdAt: at })
      await store.create(run, ROOM)
      await store.update(run, ended(run, at * 100))
    }
    await store.create(storedRun('open'), ROOM)
    await store.erase({ valuesBefore: 400, runsBefore: 200, keep: 100 })
    expect((await store.list({ status: ['completed'] })).map(({ id }) => id)).toEqual(['r6', 'r5', 'r4', 'r3', 'r2'])
    const read = await store.read('r3')
    expect(read?.body).toBeUndefined()
    expect(read).toMatchObject({ steps: [{ id: 'a', status: 'completed', ms: 5 }], failure: { kind: 'error' } })
    expect((await store.read('r4'))?.body).toBeDefined()
    await store.erase({ valuesBefore: 0, runsBefore: 0, keep: 2 })
    expect((await store.list({})).map(({ id }) => id).toSorted()).toEqual(['open', 'r5', 'r6'])
    expect((await store.read('open'))?.definition).toEqual(DEFINITION)
  })
}
