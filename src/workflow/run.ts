import { hash, randomUUID } from 'node:crypto'

import type { JsonObject, JsonValue } from '../model/json.ts'
import type { Plan } from './plan.ts'
import { type Answers, checkAnswers, sortAnswers } from './run/answers.ts'
import { closeRun } from './run/close-run.ts'
import { askedQuestions, callingSteps, endedSteps, lost, Performance, reportsOf, tooMany } from './run/performance.ts'
import { type Caller, EngineError, type Look, type Ports, type Turn, UNKNOWN, wait } from './run/ports.ts'
import { DEFAULT_SETTINGS, type Settings } from './run/settings.ts'
import { storable } from './run/storable.ts'
import { upkeep } from './run/upkeep.ts'
import { createRun, isOver, type Outcome, type RunState } from './run-state.ts'
import type { Definition, RunBody, StoredRun } from './store/run-store.ts'

interface Beginning<Context> {
  readonly plan: Plan
  /** What `Ports.plan` makes the plan of: with all that it needs, workflows within it as well. */
  readonly definition: JsonValue
  /** Checked, with the defaults applied. */
  readonly params: JsonObject
  /** Key of the principal. */
  readonly owner: string
  readonly caller: Caller<Context>
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
  readonly resume: (id: string, owner: string, answers: Answers, caller: Caller<Context>) => Promise<Turn>
  /** Where a run is; changes nothing. */
  readonly look: (id: string, owner: string) => Promise<Look>
  /** False: there is no such run of this owner, or it has ended. */
  readonly cancel: (id: string, owner: string) => Promise<boolean>
  /** There are other tools now: what remains of each run is checked again. */
  readonly reloaded: () => void
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

export function createEngine<Context>(ports: Ports<Context>, settings: Settings = DEFAULT_SETTINGS): Engine<Context> {
  const holder = randomUUID()
  const here = new Map<string, Performance<Context>>()
  const owners = new Map<string, number>()
  let isClosing = false

  const { store, now } = ports
  const read = (id: string): Promise<StoredRun | undefined> => store.read(id).catch(unusable)
  const stopUpkeep = every(settings.upkeepMs, recover)
  const stopLeases = every(settings.leaseMs / 3, async () => {
    if (here.size > 0) await store.renew(holder, now() + settings.leaseMs)
  })

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
      const performance = enter(plan, stored, true)
      const turn = performance.join(caller)
      performance.feed({ type: 'start', at })
      return turn
    },
    resume: async (id, owner, answers, caller) => {
      for (let tries = 0; ; tries++) {
        try {
          return await goOn(id, owner, answers, caller)
        } catch (error) {
          if (!(error instanceof EngineError && error.kind === 'lost') || tries === MAX_TRIES) throw error
        }
      }
    },
    look,
    cancel,
    reloaded: () => {
      for (const performance of here.values()) {
        const { definition, ids, run, caller } = performance.now
        if (!caller) continue
        const made = planAgain(definition, ids, run, caller)
        if ('plan' in made) performance.replan(made.plan)
        else performance.stop('failed', made.mismatch)
      }
    },
    recover,
    get size() {
      return here.size
    },
    close: async () => {
      isClosing = true
      stopUpkeep()
      stopLeases()
      await Promise.allSettled(
        [...here.values()].map((performance) => {
          if (performance.returns) return performance.detach()
          performance.stop('interrupted', 'The gateway is stopping')
          return performance.flushed()
        }),
      )
    },
  }

  /** Throws `EngineError` when there is no room. */
  function enter(plan: Plan, stored: StoredRun & { body: RunBody }, isNew: boolean): Performance<Context> {
    if (isClosing) throw new EngineError('stopping', 'The gateway is stopping')
    const { id, owner } = stored
    const own = owners.get(owner) ?? 0
    if (here.size >= settings.maxRunning) throw tooMany('at once')
    if (own >= settings.maxRunningPerOwner) throw tooMany('of this caller at once')
    if (here.has(id)) throw new EngineError('store', 'The id of the run is taken')
    const onGone = (): void => {
      if (here.get(id) !== performance) return
      here.delete(id)
      const left = (owners.get(owner) ?? 1) - 1
      if (left > 0) owners.set(owner, left)
      else owners.delete(owner)
    }
    const performance = new Performance<Context>({ ports, settings, holder, plan, stored, isNew, onGone })
    here.set(id, performance)
    owners.set(owner, own + 1)
    return performance
  }

  async function goOn(id: string, owner: string, answers: Answers, caller: Caller<Context>): Promise<Turn> {
    for (;;) {
      const performance = here.get(id)
      if (performance) return performance.owner === owner ? performance.resume(answers, caller) : UNKNOWN
      const stored = await read(id)
      if (here.has(id)) continue
      if (!stored?.body || stored.owner !== owner) return UNKNOWN
      const { run, answered, ids } = stored.body
      const questions = askedQuestions(run)
      const sorted = sortAnswers(answers, questions, answered)
      const isKnown = sorted.isRepeated || (sorted.isEmpty && stored.returns)
      if (run.outcome) {
        if (!isKnown) return UNKNOWN
        return { kind: 'finished', runId: id, outcome: run.outcome, reports: reportsOf(ids, run) }
      }
      if (stored.lease && stored.lease.until >= now()) {
        if (!isKnown || caller.signal.cancelled) return UNKNOWN
        await wait(ports, LOOK_AGAIN_MS, caller.signal)
        continue
      }
      const isExpired = stored.openUntil !== undefined && stored.openUntil <= now()
      if (sorted.open.length === 0 && !isExpired) {
        const isIdle = run.status === 'suspended' && !stored.lease
        if (isIdle && (isKnown || sorted.isEmpty))
          return { kind: 'asking', runId: id, revision: run.revision, questions }
        if (!isKnown) return UNKNOWN
      }
      if (!isExpired) checkAnswers(sorted, ports.check)
      return takeOver({ ...stored, body: stored.body }, answers, caller, isExpired)
    }
  }

  /** What was begun with other tools, with those that there are now. */
  function planAgain(
    definition: Definition,
    ids: readonly string[],
    run: RunState,
    { context }: Caller<Context>,
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
    caller: Caller<Context>,
    isExpired: boolean,
  ): Promise<Turn> {
    const { run, ids } = stored.body
    const made = planAgain(stored.definition, ids, run, caller)
    if ('mismatch' in made) {
      const outcome = { status: 'failed', error: { message: made.mismatch, kind: 'ended' } } as const
      if (!(await end(stored, outcome))) throw lost()
      const over = closeRun(run, now(), outcome)
      return { kind: 'finished', runId: run.id, outcome, reports: reportsOf(ids, over) }
    }
    const performance = enter(made.plan, stored, false)
    const turn = performance.join(caller)
    if (stored.lease) performance.feed({ type: 'restart', at: now() })
    if (!isExpired) {
      // What comes of it comes of the turn, which the restart may have ended already.
      performance.resume(answers, caller).catch(() => {})
      return turn
    }
    const expired = run.questions.map(({ id }) => ({ question: id, action: 'expired' }) as const)
    performance.feed({ type: 'answered', at: now(), answers: expired })
    return turn
  }

  async function look(id: string, owner: string): Promise<Look> {
    const stored = await read(id)
    if (!stored?.body || stored.owner !== owner) return UNKNOWN
    const { run, ids } = stored.body
    if (run.outcome) return { kind: 'finished', runId: id, outcome: run.outcome, reports: reportsOf(ids, run) }
    const isPerformed = here.has(id) || (stored.lease !== undefined && stored.lease.until >= now())
    if (run.status === 'running') return { kind: 'running', runId: id, isPerformed }
    const questions = here.get(id)?.questions ?? askedQuestions(run)
    return { kind: 'asking', runId: id, revision: run.revision, questions }
  }

  async function cancel(id: string, owner: string): Promise<boolean> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const performance = here.get(id)
      if (performance) {
        if (performance.owner !== owner) return false
        performance.stop('cancelled', 'The caller has cancelled it')
        await performance.flushed()
        return true
      }
      const stored = await read(id)
      if (!stored?.body || stored.owner !== owner || isOver(stored.body.run)) return false
      const error = { message: 'The caller has cancelled it', kind: 'ended' } as const
      if (await end({ ...stored, body: stored.body }, { status: 'cancelled', error })) return true
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
