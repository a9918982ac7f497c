import { hash, randomUUID } from 'node:crypto'

import type { JsonObject, JsonValue } from '../../model/json.ts'
import type { Plan } from '../plan.ts'
import { createRun, isOver, type Outcome, type RunState } from '../run-state.ts'
import type { Definition, RunBody, StoredRun } from '../store/run-store.ts'
import { type Answers, checkAnswers, sortAnswers } from './answers.ts'
import { closeRun } from './close-run.ts'
import { RunExecution } from './execution.ts'
import {
  type RunCaller,
  EngineError,
  lost,
  type Ports,
  type RunView,
  type Turn,
  tooMany,
  UNKNOWN,
  wait,
} from './ports.ts'
import { askedQuestions, callingSteps, endedSteps, expiredQuestions, reportsOf, viewOf } from './run-views.ts'
import { DEFAULT_SETTINGS, type Settings } from './settings.ts'
import { standingOf } from './standing.ts'
import { storable } from './storable.ts'
import { upkeep } from './upkeep.ts'

interface Beginning<Context> {
  readonly plan: Plan
  /** What `Ports.plan` makes the plan of: with all that it needs, workflows within it as well. */
  readonly definition: JsonValue
  /** Checked, with the defaults applied. */
  readonly params: JsonObject
  /** Key of the principal. */
  readonly owner: string
  readonly caller: RunCaller<Context>
  /** Known before the run begins: that of a task. */
  readonly id?: string
}

/** Performs runs of composite tools. Rejects with `EngineError`. */
export interface Engine<Context> {
  readonly begin: (beginning: Beginning<Context>) => Promise<Turn>
  /**
   * Goes on with a run that waits for these answers. Of several answers to a question the first counts; whoever repeats
   * it gets what came of it. Without answers: the questions once more, or, of a run that returns, what goes on.
   */
  readonly resume: (id: string, owner: string, answers: Answers, caller: RunCaller<Context>) => Promise<Turn>
  /**
   * As `resume`, but resolves when the answers are written. False: nobody takes them now, for the run goes on in another
   * process, or there is no such run.
   */
  readonly answer: (id: string, owner: string, answers: Answers, caller: RunCaller<Context>) => Promise<boolean>
  /** What a run calls from now on, if it goes on here, is called in the context that `change` makes of the present one. */
  readonly refresh: (id: string, owner: string, change: (context: Context) => Context) => void
  /** Calls back when a run here has changed in a way that its owner sees, until the returned function is called. */
  readonly onChange: (listener: (id: string) => void) => () => void
  /** A run as it is; changes nothing. `undefined`: there is no such run of this owner, or it has been erased. */
  readonly look: (id: string, owner: string) => Promise<RunView | undefined>
  /** False: there is no such run of this owner, or it has ended. */
  readonly cancel: (id: string, owner: string) => Promise<boolean>
  /** There are other tools now: what remains of each run is checked again. */
  readonly replan: () => void
  /** Ends the runs whose callers are gone, and erases what is old. Done now and then without being asked. */
  readonly recover: () => Promise<void>
  /** Runs that go on in this process. */
  readonly size: number
  /** Runs that return are left to whoever comes next, the others end. The store stays open. */
  readonly close: () => Promise<void>
}

/** How long until another look at a run that another process performs. */
const LOOK_AGAIN_MS = 250
/** Others were faster each time. */
const MAX_TRIES = 10
/** How long until it is noticed that others have ended, or go on with, a run of this process. */
const NOTICE_MS = 2_000

/** What came of an attempt to go on with a run. */
interface Going<Context> {
  readonly turn: Promise<Turn> | Turn
  /** It goes on here. */
  readonly execution?: RunExecution<Context>
  /** It goes on elsewhere, with just these answers. */
  readonly isTaken?: boolean
}

const NOBODY = { turn: UNKNOWN }

export function createEngine<Context>(ports: Ports<Context>, settings: Settings = DEFAULT_SETTINGS): Engine<Context> {
  const holder = randomUUID()
  const here = new Map<string, RunExecution<Context>>()
  const owners = new Map<string, number>()
  let isClosing = false

  const { store, now } = ports
  const read = (id: string): Promise<StoredRun | undefined> => store.read(id).catch(unusable)
  const stopUpkeep = every(settings.upkeepMs, recover)
  /** Runs only while there is something to hold. */
  let stopLeases: (() => void) | undefined
  const listeners = new Set<(id: string) => void>()
  const changed = (id: string): void => {
    for (const listener of listeners) listener(id)
  }

  return {
    begin: async ({ plan, definition, params, owner, caller, id = randomUUID() }) => {
      const at = now()
      const run = createRun(plan, { id, params, at })
      const body = { run, ids: plan.steps.map((step) => step.id), answered: {} }
      const stored = {
        id,
        owner,
        workflow: plan.name,
        definition: definitionOf(definition),
        revision: 1,
        status: run.status,
        createdAt: at,
        updatedAt: at,
        returns: caller.returns,
        body,
      }
      const execution = enter(plan, stored, true)
      const turn = execution.join(caller)
      execution.feed({ type: 'start', at })
      return turn
    },
    resume: (id, owner, answers, caller) =>
      untilFirst(async () => {
        const { turn } = await goOn(id, owner, answers, caller, true)
        return turn
      }),
    answer: (id, owner, answers, caller) =>
      untilFirst(async () => {
        const { turn, execution, isTaken } = await goOn(id, owner, answers, caller, false)
        if (!execution) return isTaken === true || (await turn).kind !== 'unknown'
        Promise.resolve(turn).catch(() => {})
        await execution.written()
        return true
      }),
    refresh: (id, owner, change) => {
      const execution = here.get(id)
      if (execution?.owner === owner) execution.refresh(change)
    },
    onChange: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    look,
    cancel,
    replan: () => {
      for (const execution of here.values()) {
        const { definition, ids, run, caller } = execution.planned
        if (!caller) continue
        const made = replanned(definition, ids, run, caller)
        if ('plan' in made) execution.replan(made.plan)
        else execution.stop('failed', made.mismatch)
      }
    },
    recover,
    get size() {
      return here.size
    },
    close: async () => {
      isClosing = true
      stopUpkeep()
      stopLeases?.()
      await Promise.allSettled(
        [...here.values()].map((execution) => {
          if (execution.returns) return execution.detach()
          execution.stop('interrupted', 'The gateway is stopping')
          return execution.flushed()
        }),
      )
    },
  }

  /** Throws `EngineError` when there is no room. */
  function enter(plan: Plan, stored: StoredRun & { body: RunBody }, isNew: boolean): RunExecution<Context> {
    if (isClosing) throw new EngineError('stopping', 'The gateway is stopping')
    const { id, owner } = stored
    const own = owners.get(owner) ?? 0
    if (here.size >= settings.maxRunning) throw tooMany('at once')
    if (own >= settings.maxRunningPerOwner) throw tooMany('of this caller at once')
    if (here.has(id)) throw new EngineError('store', 'The id of the run is taken')
    const onGone = (): void => {
      if (here.get(id) !== execution) return
      here.delete(id)
      const left = (owners.get(owner) ?? 1) - 1
      if (left > 0) owners.set(owner, left)
      else owners.delete(owner)
      if (here.size > 0) return
      stopLeases?.()
      stopLeases = undefined
    }
    const onChange = (): void => changed(id)
    const execution = new RunExecution<Context>({ ports, settings, holder, plan, stored, isNew, onChange, onGone })
    here.set(id, execution)
    owners.set(owner, own + 1)
    stopLeases ??= every(Math.min(settings.leaseMs / 3, NOTICE_MS), renewLeases)
    return execution
  }

  async function renewLeases(): Promise<void> {
    const before = [...here].flatMap(([id, execution]) => {
      const { held } = execution
      return held ? [{ id, execution, held }] : []
    })
    const still = new Set(await store.renew(holder, now() + settings.leaseMs))
    for (const { id, execution, held } of before) if (!still.has(id)) void execution.giveUp(held)
  }

  /** `isPatient`: whoever repeats what another process goes on with waits for what comes of it. */
  async function goOn(
    id: string,
    owner: string,
    answers: Answers,
    caller: RunCaller<Context>,
    isPatient: boolean,
  ): Promise<Going<Context>> {
    for (;;) {
      const execution = here.get(id)
      if (execution?.owner === owner) return { turn: execution.resume(answers, caller), execution }
      if (execution) return NOBODY
      const stored = await read(id)
      if (here.has(id)) continue
      if (!stored?.body || stored.owner !== owner) return NOBODY
      const { run, answered, ids } = stored.body
      const expired = expiredQuestions(run, settings.questionMs, now())
      const questions = askedQuestions(run).filter(({ id }) => !expired.some(({ question }) => question === id))
      const sorted = sortAnswers(answers, questions, answered)
      const isKnown = sorted.isRepeated || (sorted.isEmpty && stored.returns)
      if (run.outcome) {
        if (!isKnown) return NOBODY
        return { turn: { kind: 'finished', runId: id, outcome: run.outcome, reports: reportsOf(ids, run) } }
      }
      if (standingOf(stored, now()) === 'performed') {
        if (!isKnown || caller.signal.cancelled) return NOBODY
        if (!isPatient) return { turn: UNKNOWN, isTaken: sorted.isRepeated }
        await wait(ports, LOOK_AGAIN_MS, caller.signal)
        continue
      }
      const isExpired = run.status === 'suspended' && expired.length > 0
      if (sorted.open.length === 0 && !isExpired) {
        const isIdle = run.status === 'suspended' && !stored.lease
        if (isIdle && (isKnown || sorted.isEmpty))
          return { turn: { kind: 'asking', runId: id, revision: run.revision, questions } }
        if (!isKnown) return NOBODY
      }
      checkAnswers(sorted, ports.check)
      return takeOver({ ...stored, body: stored.body }, answers, caller)
    }
  }

  /** What was begun with other tools, with those that there are now. */
  function replanned(
    definition: Definition,
    ids: readonly string[],
    run: RunState,
    { context }: RunCaller<Context>,
  ): { plan: Plan } | { mismatch: string } {
    const ended = endedSteps(ids, run)
    let made = ports.plan(definition.value, ended, context)
    // A call that is under way ends where it is, whatever has become of its tool.
    if ('faults' in made) made = ports.plan(definition.value, [...ended, ...callingSteps(ids, run)], context)
    if ('faults' in made) return { mismatch: mismatch(made.faults, ended) }
    const { steps } = made.plan
    const isSame = steps.length === ids.length && steps.every(({ id }, place) => id === ids[place])
    return isSame ? made : { mismatch: mismatch(['its steps come in another order'], ended) }
  }

  /** Nobody performs it, and from now on this process does. */
  async function takeOver(
    stored: StoredRun & { body: RunBody },
    answers: Answers,
    caller: RunCaller<Context>,
  ): Promise<Going<Context>> {
    const { run, ids } = stored.body
    const made = replanned(stored.definition, ids, run, caller)
    if ('mismatch' in made) {
      const outcome = { status: 'failed', error: { message: made.mismatch, kind: 'ended' } } as const
      if (!(await end(stored, outcome))) throw lost()
      const over = closeRun(run, now(), outcome)
      changed(run.id)
      return { turn: { kind: 'finished', runId: run.id, outcome, reports: reportsOf(ids, over) } }
    }
    const execution = enter(made.plan, stored, false)
    const turn = execution.join(caller)
    if (stored.lease) execution.feed({ type: 'restart', at: now() })
    // What comes of it comes of the turn, which the restart may have ended already.
    execution.resume(answers, caller).catch(() => {})
    return { turn, execution }
  }

  async function look(id: string, owner: string): Promise<RunView | undefined> {
    const stored = await read(id)
    if (!stored?.body || stored.owner !== owner) return undefined
    return viewOf({ ...stored, body: stored.body }, here.get(id)?.questions, now(), settings.valuesMs)
  }

  async function cancel(id: string, owner: string): Promise<boolean> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const execution = here.get(id)
      if (execution) {
        if (execution.owner !== owner) return false
        execution.stop('cancelled', 'The caller has cancelled it')
        await execution.flushed()
        return true
      }
      const stored = await read(id)
      if (!stored?.body || stored.owner !== owner || isOver(stored.body.run)) return false
      const error = { message: 'The caller has cancelled it', kind: 'ended' } as const
      if (!(await end({ ...stored, body: stored.body }, { status: 'cancelled', error }))) continue
      changed(id)
      return true
    }
    return false
  }

  /** Whoever performs it learns of that when it writes. */
  function end(
    stored: StoredRun & { body: RunBody },
    outcome: Exclude<Outcome, { status: 'completed' }>,
  ): Promise<boolean> {
    const over = closeRun(stored.body.run, now(), outcome)
    const after = storable(stored, over, stored.body.answered, now(), { isNew: false })
    return store.update(stored, after).catch(unusable)
  }

  function recover(): Promise<void> {
    return upkeep(store, settings, now(), end)
  }

  /** Until the returned function is called. What fails is tried again the next time. */
  function every(ms: number, work: () => Promise<void>): () => void {
    let stop = ports.setTimer(ms, tick)
    let isStopped = false
    function tick(): void {
      work()
        .catch(() => {})
        .finally(() => {
          if (!isStopped) stop = ports.setTimer(ms, tick)
        })
    }
    return () => {
      isStopped = true
      stop()
    }
  }
}

/** Once more whenever another process was faster. */
async function untilFirst<Value>(attempt: () => Promise<Value>): Promise<Value> {
  for (let tries = 0; ; tries++) {
    try {
      return await attempt()
    } catch (error) {
      if (!(error instanceof EngineError && error.kind === 'lost') || tries === MAX_TRIES) throw error
    }
  }
}

function unusable(error: unknown): never {
  throw new EngineError('store', error instanceof Error ? error.message : String(error))
}

const definitions = new WeakMap<object, Definition>()

/** The same one for the same value, which whoever has it does not change. */
function definitionOf(value: JsonValue): Definition {
  const key = typeof value === 'object' && value !== null ? value : {}
  let definition = definitions.get(key)
  if (!definition) {
    definition = { hash: hash('sha256', JSON.stringify(value), 'base64url'), value }
    definitions.set(key, definition)
  }
  return definition
}

function mismatch(faults: readonly string[], ended: readonly string[]): string {
  const done = ended.length === 0 ? 'No step had ended.' : `Ended before: ${ended.join(', ')}.`
  return `The workflow no longer fits the tools that there are: ${faults.join('; ')}. ${done}`
}
