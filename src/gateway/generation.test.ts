import { expect, test } from 'vitest'
import type { BackendLeases } from '../backends/leases.ts'
import { loadConfig } from '../config/load.ts'
import { Telemetry } from '../telemetry/events.ts'
import { Sealer } from '../protocol/sealed.ts'
import { Generation } from './generation.ts'
import { LinkMemory } from './catalogue/link-memory.ts'
import { TaskIds } from './tasks/task-ids.ts'
import { RunTasks } from './tasks/runs/run-tasks.ts'
import type { Runs } from './workflows/runs.ts'
import { MemoryBuckets } from './limits/buckets.ts'
import { DefinitionNews } from './catalogue/definition-guard.ts'
import { Outbound } from './outbound.ts'
import { Parking } from './questions/parking.ts'

test('a generation that cannot be built gives back what it has taken', async () => {
  const backends = ['one', 'two', 'three'].map((name) => ({ name, command: 'never-started' }))
  const { config } = await loadConfig(['-'], { stdin: JSON.stringify({ backends }) })
  const held: string[] = []
  const leases = {
    acquire: ({ id }: { id: string }) => {
      if (id === 'three') throw new Error('no more')
      held.push(id)
      return { key: id, fresh: false, backend: {} }
    },
    release: (key: string) => held.splice(held.indexOf(key), 1),
  } as unknown as BackendLeases
  const runs = {} as Runs
  const build = () =>
    new Generation(config!, {
      leases,
      identity: { name: 'vmcp', version: '1' },
      telemetry: new Telemetry(),
      lasting: { watch: () => () => {}, watchTasks: async () => ({ ids: [], end: () => {} }) },
      clientOf: () => undefined,
      parking: new Parking(() => new Sealer()),
      sealer: () => new Sealer(),
      outbound: new Outbound(new Telemetry(), undefined),
      links: new LinkMemory(() => 0),
      taskIds: new TaskIds(() => new Sealer()),
      buckets: new MemoryBuckets(),
      runs,
      runTasks: new RunTasks({ runs, ids: new TaskIds(() => new Sealer()), mayUse: () => false }),
      policies: undefined,
      lock: undefined,
      news: new DefinitionNews(new Telemetry()),
      previous: undefined,
      onChange: () => {},
    })
  expect(build).toThrow('no more')
  expect(held).toEqual([])
})
