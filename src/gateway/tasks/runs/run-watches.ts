import type { Caller, TaskListener } from '../../../model/call.ts'
import { isObject, type JsonObject } from '../../../model/json.ts'
import { type Principal, principalKey } from '../../../model/principal.ts'
import { isDue, standingOf } from '../../../workflow/run/standing.ts'
import type { RunTasks } from './run-tasks.ts'
import { MOST_OPEN } from '../../workflows/runs.ts'

/** How often is looked what other processes have done. */
const LOOK_MS = 2000

interface Watch {
  readonly run: string
  /** As its owner knows it. */
  readonly id: string
  readonly caller: Caller
  readonly listener: TaskListener
  /** What was told last, and what was seen of it in the store. */
  told: string
  seen: string | undefined
  /** One look at a time: a later one must not be told before. */
  turn: Promise<void>
}

/**
 * Runs whose state clients want to be told of (tasks extension, "Task Status Notifications"): at once where they go on here,
 * otherwise a little later. One that had to wait for its owner goes on, for who listens is there.
 */
export class RunWatches {
  readonly #tasks: RunTasks
  readonly #watches = new Map<string, Set<Watch>>()
  /** Of what goes on here is heard, for what goes on elsewhere is looked: while there is somebody to be told. */
  #stop: (() => void) | undefined

  constructor(tasks: RunTasks) {
    this.#tasks = tasks
  }

  /**
   * Calls the listener with the task when it is no longer what it was at first: at work. Until the returned function is called.
   * `undefined`: this caller has no such task.
   */
  async watch(run: string, id: string, caller: Caller, listener: TaskListener): Promise<(() => void) | undefined> {
    if (!(await this.#tasks.task(run, id, caller))) return undefined
    const turn = Promise.resolve()
    const watch: Watch = { run, id, caller, listener, told: keyOf({ status: 'working' }), seen: undefined, turn }
    const watches = this.#watches.get(run) ?? new Set()
    this.#watches.set(run, watches.add(watch))
    this.#stop ??= this.#start()
    await this.#look(watch)
    return () => this.#end(watch)
  }

  #start(): () => void {
    const stop = this.#tasks.runs.onChange((run) => {
      for (const watch of this.#watches.get(run) ?? []) void this.#look(watch)
    })
    const timer = setInterval(() => void this.#lookAll(), LOOK_MS).unref()
    return () => {
      stop()
      clearInterval(timer)
    }
  }

  #look(watch: Watch): Promise<void> {
    return (watch.turn = watch.turn.then(async () => {
      const { run, id, caller, listener, told } = watch
      if (!this.#watches.get(run)?.has(watch)) return
      const task = await this.#tasks.task(run, id, caller).catch(() => undefined)
      if (!task || keyOf(task) === told) return
      watch.told = keyOf(task)
      listener(task)
    }))
  }

  /** One question to the store for each principal. */
  async #lookAll(): Promise<void> {
    const byOwner = Map.groupBy(this.#all(), ({ caller }) => principalKey(caller.principal))
    for (const watches of byOwner.values()) {
      const seen = await this.#seen(watches[0]?.caller.principal).catch(() => undefined)
      for (const watch of seen ? watches : []) {
        const now = seen?.get(watch.run) ?? 'ended'
        if (now === watch.seen && now !== 'due') continue
        watch.seen = now
        void this.#look(watch)
      }
    }
  }

  async #seen(principal: Principal | undefined): Promise<ReadonlyMap<string, string>> {
    if (!principal) return new Map()
    const runs = await this.#tasks.runs.list({ status: ['running', 'suspended'], limit: MOST_OPEN }, principal)
    const now = Date.now()
    return new Map(runs.map((run) => [run.id, isDue(standingOf(run, now)) ? 'due' : String(run.revision)] as const))
  }

  #all(): Watch[] {
    return [...this.#watches.values()].flatMap((watches) => [...watches])
  }

  #end(watch: Watch): void {
    const watches = this.#watches.get(watch.run)
    watches?.delete(watch)
    if (watches?.size === 0) this.#watches.delete(watch.run)
    if (this.#watches.size > 0) return
    this.#stop?.()
    this.#stop = undefined
  }
}

/** Equal for states between which nothing has happened that clients act on. */
function keyOf({ status, inputRequests }: JsonObject): string {
  return JSON.stringify([status, isObject(inputRequests) ? Object.keys(inputRequests) : []])
}
