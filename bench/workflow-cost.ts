/**
 * What the engine of workflows costs by itself, without HTTP around it: the gateway's own code in this process.
 * `node --expose-gc bench/workflow-cost.ts '{"part":"steps","rounds":5}'` prints one line of JSON, `WorkflowCosts`.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { argv, cpuUsage, stdout } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'

import type { AuthoredCompositeTool } from '../src/config/schema/composite.ts'
import { Composites } from '../src/gateway/workflows/composites.ts'
import { toolsOf } from '../src/gateway/workflows/offers.ts'
import { chooseStore } from '../src/gateway/workflows/choose-store.ts'
import { Cancellation } from '../src/model/cancellation.ts'
import type { Merged } from '../src/model/catalogue.ts'
import type { JsonObject } from '../src/model/json.ts'
import type { AggregationSettings, WorkflowLimits } from '../src/model/settings.ts'
import { DEFAULT_WORKFLOW_LIMITS } from '../src/model/settings.ts'
import { compile } from '../src/workflow/compile/compile.ts'
import type { Offer } from '../src/workflow/compile/world.ts'
import type { Plan } from '../src/workflow/plan.ts'
import { createEngine, type Engine } from '../src/workflow/run/engine.ts'
import { CLOCK, type RunCaller, type StepResult } from '../src/workflow/run/ports.ts'
import { lazyStore } from '../src/workflow/store/lazy-store.ts'
import type { RunStore } from '../src/workflow/store/run-store.ts'
import { asking, authored, catalogueOf, echoing, schemasOf, type WorkflowShape } from './workflow-world.ts'

/** Figures of each round, by cell and by metric. */
export type WorkflowCosts = Record<string, Record<string, number[]>>

type StoreName = 'memory' | 'file'

const STORES: readonly StoreName[] = ['memory', 'file']
const SHAPES: readonly WorkflowShape[] = ['sequence', 'parallel', 'loop']
const STEPS = 100
/** Runs under way at once: what they write at the same time is written together. */
const AT_ONCE = [1, 10] as const
/** Steps of one measured round: some hundred milliseconds. */
const STEPS_A_ROUND = 3_000
const LIMIT = { ...DEFAULT_WORKFLOW_LIMITS, parallel: STEPS }

const cpuUs = (): number => {
  const { user, system } = cpuUsage()
  return user + system
}

/** Of this thread alone: what a quiet machine would take. */
function threadMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

/** The store as the gateway makes it, with its own sealing, and what is to be done with it afterwards. */
async function withStore<Value>(name: StoreName, work: (store: RunStore) => Promise<Value>): Promise<Value> {
  const folder = mkdtempSync(join(tmpdir(), 'vmcp-bench-runs-'))
  const keys = [{ id: 'bench', key: Buffer.alloc(32, 7) }]
  const place = { storage: { provider: name, path: folder }, stateFolder: undefined }
  const store = lazyStore({ open: () => chooseStore(place, () => keys), mayHoldRuns: () => true })
  try {
    return await work(store)
  } finally {
    await store.close()
    rmSync(folder, { recursive: true })
  }
}

const ECHO: Offer = { shown: 'echo', inputSchema: { type: 'object', properties: { text: { type: 'string' } } } }

function planOf(definition: AuthoredCompositeTool, limits: WorkflowLimits): Plan {
  const { plan, faults } = compile(definition, {
    tool: () => ECHO,
    tools: () => [ECHO.shown],
    workflow: () => undefined,
    workflows: () => [],
    limits,
  })
  if (plan) return plan
  throw new Error(faults.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '))
}

/** As much as a tool of common use says. */
const answerTo = ({ text = null }: JsonObject): StepResult => ({
  output: { text, more: 'x'.repeat(200) },
  content: { text },
})

type Calling = (args: JsonObject) => Promise<StepResult>

/** A call that does nothing, and ends in another turn of the event loop as a real one does. */
const atOnce: Calling = (args) => new Promise((resolve) => setImmediate(() => resolve(answerTo(args))))

const later =
  (ms: number): Calling =>
  async (args) => {
    await sleep(ms)
    return answerTo(args)
  }

function engineOf(plan: Plan, store: RunStore, call: Calling): Engine<undefined> {
  return createEngine<undefined>({
    ...CLOCK,
    store,
    call: (step) => call(step.arguments),
    plan: () => ({ plan }),
    check: () => undefined,
  })
}

const caller = (ask?: RunCaller<undefined>['ask']): RunCaller<undefined> => ({
  context: undefined,
  signal: new Cancellation(),
  takes: () => true,
  ...(ask && { ask }),
  returns: false,
})

let runs = 0
const OWNERS = 20

async function perform(engine: Engine<undefined>, plan: Plan, definition: object, wanted: string): Promise<void> {
  const text = `text-${++runs}`
  const turn = await engine.begin({
    plan,
    definition: definition as JsonObject,
    params: { text },
    owner: `owner-${runs % OWNERS}`,
    caller: caller(),
  })
  const kind = turn.kind === 'finished' ? turn.outcome.status : turn.kind
  if (kind !== wanted) throw new Error(`${plan.name}: ${JSON.stringify(turn)}`)
}

/** CPU of all threads, and time by the clock of the wall, per step and in microseconds. */
async function spent(steps: number, work: () => Promise<unknown>): Promise<{ cpu: number; wall: number }> {
  const [cpu, wall] = [cpuUs(), performance.now()]
  await work()
  return { cpu: (cpuUs() - cpu) / steps, wall: ((performance.now() - wall) * 1000) / steps }
}

/** Of the calls themselves, made as the engine lets them be made. */
async function callsAlone(times: number, width: number): Promise<void> {
  for (let done = 0; done < times; done += width) {
    await Promise.all(Array.from({ length: width }, (_, index) => atOnce({ text: `text-${index}` })))
  }
}

async function stepCosts(rounds: number): Promise<WorkflowCosts> {
  const costs: WorkflowCosts = {}
  for (const store of STORES) {
    for (const shape of SHAPES) {
      for (const together of AT_ONCE) {
        costs[`${store}, ${shape}, ${runsAtOnce(together)}`] = await withStore(store, (opened) =>
          stepCost(opened, shape, together, rounds),
        )
      }
    }
  }
  return costs
}

const runsAtOnce = (count: number): string => (count === 1 ? 'a run' : `${count} runs at once`)

async function stepCost(store: RunStore, shape: WorkflowShape, together: number, rounds: number) {
  const definition = echoing(shape, STEPS)
  const plan = planOf(definition, LIMIT)
  const engine = engineOf(plan, store, atOnce)
  const times = Math.ceil(STEPS_A_ROUND / STEPS / together)
  const steps = times * STEPS * together
  const width = together * (shape === 'sequence' ? 1 : shape === 'loop' ? DEFAULT_WORKFLOW_LIMITS.parallel : STEPS)
  const many = async () => {
    for (let time = 0; time < times; time++) {
      await Promise.all(Array.from({ length: together }, () => perform(engine, plan, definition, 'completed')))
    }
  }
  const figures = { 'step us': [] as number[], 'wall us': [] as number[] }
  for (let round = -1; round < rounds; round++) {
    const alone = await spent(steps, () => callsAlone(steps, width))
    const all = await spent(steps, many)
    // The first warms up.
    if (round < 0) continue
    figures['step us'].push(all.cpu - alone.cpu)
    figures['wall us'].push(all.wall - alone.wall)
  }
  await engine.close()
  return figures
}

const SLOWEST_MS = 100

/** How long a hundred steps take of which each takes a tenth of a second, in times of what they have to take. */
async function waveCosts(rounds: number): Promise<WorkflowCosts> {
  const costs: WorkflowCosts = {}
  for (const name of STORES) {
    for (const parallel of [STEPS, DEFAULT_WORKFLOW_LIMITS.parallel]) {
      const waves = STEPS / parallel
      const definition = echoing('parallel', STEPS)
      const plan = planOf(definition, { ...LIMIT, parallel })
      const ratios: number[] = []
      await withStore(name, async (store) => {
        const engine = engineOf(plan, store, later(SLOWEST_MS))
        for (let round = -1; round < rounds; round++) {
          const began = performance.now()
          await perform(engine, plan, definition, 'completed')
          if (round >= 0) ratios.push((performance.now() - began) / (SLOWEST_MS * waves))
        }
        await engine.close()
      })
      costs[`${name}, 100 steps of 100 ms, ${parallel} side by side`] = { 'x slowest': ratios }
    }
  }
  return costs
}

const SUSPENDED = 1_000
const CALLS_BEFORE = 20

/** Memory of runs that wait for their users. Of a legacy client the request stays open; a modern one comes back. */
async function suspendedCosts(): Promise<WorkflowCosts> {
  const costs: WorkflowCosts = {}
  const definition = asking(CALLS_BEFORE)
  const plan = planOf(definition, LIMIT)
  for (const name of STORES) {
    for (const era of ['modern', 'legacy'] as const) {
      const heapMb = await withStore(name, async (store) => {
        const engine = engineOf(plan, store, atOnce)
        await perform(engine, plan, definition, 'asking')
        const before = await heap()
        for (let run = 0; run < SUSPENDED; run++) {
          if (era === 'modern') await perform(engine, plan, definition, 'asking')
          else await asked(engine, plan, definition)
        }
        const after = await heap()
        await engine.close()
        return (after - before) / 2 ** 20
      })
      costs[`${name}, ${SUSPENDED.toLocaleString('en')} suspended runs, ${era}`] = { 'heap MB': [heapMb] }
    }
  }
  return costs
}

/** Resolves when the user has been asked, who never answers. */
function asked(engine: Engine<undefined>, plan: Plan, definition: object): Promise<void> {
  return new Promise((resolve, reject) => {
    const ask = () => {
      resolve()
      return new Promise<JsonObject>(() => {})
    }
    const given = { plan, definition: definition as JsonObject, params: { text: `text-${++runs}` } }
    engine.begin({ ...given, owner: `owner-${runs % OWNERS}`, caller: caller(ask) }).catch(reject)
  })
}

/** Bytes in use when everything is collected that can be. */
async function heap(): Promise<number> {
  if (!globalThis.gc) throw new Error('run this with --expose-gc')
  for (let time = 0; time < 3; time++) {
    await sleep(20)
    globalThis.gc()
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const DEFINITIONS = 200
const TOOLS = 1_000
const AGGREGATION: AggregationSettings = {
  strategy: 'prefix',
  prefixFormat: '{workload}_',
  prefixExplicit: true,
  onlyOnConflict: false,
  priorityOrder: [],
  vendors: new Set(),
  excludeAllTools: false,
  defaultToolVisibility: 'allow',
  tools: new Map(),
}

/** Checks of all definitions: `first` of this process, which has compiled nothing yet. */
function checkCosts(rounds: number): WorkflowCosts {
  const definitions = Array.from({ length: DEFINITIONS }, (_, index) => authored(index, TOOLS))
  const composites = new Composites(definitions, DEFAULT_WORKFLOW_LIMITS)
  const schemas = schemasOf(TOOLS)
  const ms = (merged: Merged): number => {
    const before = threadMs()
    const silent = { settings: AGGREGATION, configured: 20, approved: false, silent: [] }
    const joined = composites.joinTo(merged, toolsOf(merged, silent)).composites
    const after = threadMs()
    for (const { workflow, status } of joined.values())
      if (status.kind !== 'ready') throw new Error(`${workflow}: ${status.why}`)
    return after - before
  }
  const [first, unchanged, changed]: number[][] = [[], [], []]
  first!.push(ms(catalogueOf(TOOLS, schemas)))
  for (let round = 0; round < rounds; round++) {
    // Backends have said nothing new, or have said everything anew.
    const same = Array.from({ length: 20 }, () => ms(catalogueOf(TOOLS, schemas)))
    unchanged!.push(same.reduce((sum, each) => sum + each, 0) / same.length)
    changed!.push(ms(catalogueOf(TOOLS, schemasOf(TOOLS))))
  }
  const cell = `check ${DEFINITIONS} definitions, ${TOOLS.toLocaleString('en')} tools`
  return { [cell]: { 'first ms': first!, 'changed ms': changed!, 'unchanged ms': unchanged! } }
}

const PARTS = {
  steps: stepCosts,
  waves: waveCosts,
  suspended: suspendedCosts,
  check: checkCosts,
} satisfies Record<string, (rounds: number) => WorkflowCosts | Promise<WorkflowCosts>>

const { part, rounds } = JSON.parse(argv[2] ?? '{}') as { part: keyof typeof PARTS; rounds: number }
stdout.write(`${JSON.stringify(await PARTS[part](rounds))}\n`)
process.exit(0)
