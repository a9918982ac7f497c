import type { JsonObject } from '../../../model/json.ts'
import type { TaskListener, TaskWatch } from '../../../model/call.ts'

/** The tasks of one listen stream. What the client cannot be told now is told with the next flush: the last state of each. */
export class WatchedTasks {
  readonly #asked: readonly string[]
  readonly #watch: (listener: TaskListener) => Promise<TaskWatch>
  readonly #tell: (task: JsonObject) => boolean
  readonly #missed = new Map<string, JsonObject>()
  #standing: Promise<TaskWatch> | undefined

  /** `tell` answers false when the client cannot be told. */
  constructor(
    asked: readonly string[],
    watch: (listener: TaskListener) => Promise<TaskWatch>,
    tell: (task: JsonObject) => boolean,
  ) {
    this.#asked = asked
    this.#watch = watch
    this.#tell = tell
  }

  /** The tasks that the client will be told of. */
  async start(): Promise<readonly string[]> {
    if (this.#asked.length === 0) return []
    this.#standing = this.#watch((task) => this.#told(task))
    // One that cannot be watched is not acknowledged.
    return this.#standing.then(
      ({ ids }) => ids,
      () => [],
    )
  }

  flush(): void {
    const missed = [...this.#missed.values()]
    this.#missed.clear()
    for (const task of missed) this.#told(task)
  }

  end(): void {
    this.#standing?.then(({ end }) => end()).catch(() => {})
    this.#standing = undefined
    this.#missed.clear()
  }

  #told(task: JsonObject): void {
    const { taskId } = task
    if (typeof taskId === 'string' && !this.#tell(task)) this.#missed.set(taskId, task)
  }
}
