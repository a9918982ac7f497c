import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { EXCEPTIONS } from './exceptions.ts'
import { VIEWS, type View } from './fixture/door.ts'
import { REVISIONS, scenariosOf, type Revision } from './requirements.ts'
import { runServerSuite, type Results } from './run.ts'
import { startFixture, startGatewayBefore, type Target } from './setups.ts'
import { judge, shortfalls } from './verdict.ts'

interface Run {
  title: string
  revision: Revision
  view: View
  /** Whether the written exceptions of the view hold: they are about the gateway. */
  excused: boolean
  start: () => Promise<Target>
}

const speaks = (view: View, revision: Revision) =>
  view === 'both' || view === (revision === '2025-11-25' ? 'legacy' : 'modern')

const RUNS: Run[] = REVISIONS.flatMap((revision) => [
  ...VIEWS.filter((view) => speaks(view, revision)).map((view) => ({
    title: `${revision} on the fixture alone (${view})`,
    revision,
    view,
    excused: false,
    start: () => startFixture(view),
  })),
  ...VIEWS.map((view) => ({
    title: `${revision} through the gateway (${view})`,
    revision,
    view,
    excused: true,
    start: () => startGatewayBefore(view, false),
  })),
  {
    title: `${revision} through the gateway with a second backend`,
    revision,
    view: 'both' as const,
    excused: true,
    start: () => startGatewayBefore('both', true),
  },
])

/** Most of a run is waiting, so several go on at once; more would disturb the scenarios that measure time. */
const AT_ONCE = 3

const results = new Map<Run, Promise<Results>>()
let stopped = false

beforeAll(() => {
  let waiting = 0
  const turns: (() => void)[] = []
  for (const run of RUNS) {
    const turn = waiting++ < AT_ONCE ? Promise.resolve() : new Promise<void>((resolve) => turns.push(resolve))
    const result = turn.then(() => measure(run)).finally(() => turns.shift()?.())
    // Whoever asks for it sees the failure.
    result.catch(() => {})
    results.set(run, result)
  }
})

afterAll(async () => {
  stopped = true
  await Promise.allSettled(results.values())
})

async function measure({ start, revision }: Run): Promise<Results> {
  if (stopped) return new Map()
  const target = await start()
  try {
    return await runServerSuite(target.url, revision)
  } finally {
    await target.end()
  }
}

describe.each(RUNS)('$title', (run) => {
  let found: Results
  beforeAll(async () => {
    found = (await results.get(run)) ?? new Map<string, never>()
  }, 300_000)

  test.each(scenariosOf(run.revision))('%s', (scenario) => {
    const exceptions = EXCEPTIONS.filter(
      ({ requirements, view, ...each }) =>
        run.excused && requirements === run.revision && view === run.view && each.scenario === scenario,
    )
    const verdict = judge(shortfalls(run.revision, scenario, found.get(scenario)), exceptions)
    expect(verdict).toEqual({ failures: [], stale: [] })
  })
})
