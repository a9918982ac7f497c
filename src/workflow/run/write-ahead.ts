import type { Command } from '../advance/event.ts'
import type { RunState } from '../run-state.ts'
import type { RunBody, RunStore, StoredRun } from '../store/run-store.ts'
import { keyOf } from './attempt.ts'
import { EngineError, lost, tooMany } from './ports.ts'
import type { Settings } from './settings.ts'
import { storable, type Waiting } from './storable.ts'

export type StoredWithBody = StoredRun & { readonly body: RunBody }

export interface WriteAheadOptions {
  readonly store: RunStore
  readonly now: () => number
  /** How many runs there may be. */
  readonly settings: Pick<Settings, 'maxOpen' | 'maxOpenPerOwner'>
  /** As it lies in the store; of a new run, as it would. */
  readonly stored: StoredWithBody
  readonly isNew: boolean
  /** What the store is to say of who goes on with it, when it lies there and these have been performed. */
  readonly marks: (run: RunState, commands: readonly Command[]) => Omit<Waiting, 'isNew'>
  readonly perform: (command: Command) => void
  /** A state has been written, and all that follows from it has been performed. */
  readonly onWritten: (before: RunState) => void
  /** So have all. */
  readonly onRest: () => void
  readonly onFail: (error: EngineError) => void
}

/**
 * The states of a run on their way into the store, and the commands that follow from them: performed only once the state
 * lies there. What comes while the store is busy is written together.
 */
export class WriteAhead {
  readonly #options: WriteAheadOptions
  #stored: StoredWithBody
  #isNew: boolean
  #run: RunState
  #answered: RunBody['answered']
  #commands: Command[] = []
  #isWriting = false
  #isStopped = false
  #written: Promise<void> = Promise.resolve()

  constructor(options: WriteAheadOptions) {
    const { stored, isNew } = options
    this.#options = options
    this.#stored = stored
    this.#isNew = isNew
    this.#run = stored.body.run
    this.#answered = stored.body.answered
  }

  /** As it is now, written or not. */
  get run(): RunState {
    return this.#run
  }

  /** As it lies in the store. */
  get stored(): StoredWithBody {
    return this.#stored
  }

  get isNew(): boolean {
    return this.#isNew
  }

  /** Digests of the answers that count, by question: written with the state that follows from them. */
  get answered(): RunBody['answered'] {
    return this.#answered
  }

  count(question: string, digest: string): void {
    this.#answered = { ...this.#answered, [question]: digest }
  }

  get hasCalls(): boolean {
    return this.#commands.some(({ type }) => type === 'call')
  }

  /** The next state; nothing is written before `pump`. */
  put(run: RunState, commands: readonly Command[]): void {
    this.#run = run
    for (const command of commands) {
      const made = command.type === 'cancel' ? this.#commands.findIndex((other) => isCallOf(other, command)) : -1
      // Nobody has made that call yet, and now nobody will.
      if (made >= 0) this.#commands.splice(made, 1)
      else this.#commands.push(command)
    }
  }

  /** Writes what is to be written, unless it is being done. */
  pump(): void {
    if (this.#isWriting) return
    this.#isWriting = true
    this.#written = this.#work().then(
      () => {
        this.#isWriting = false
        if (this.#isDirty) this.pump()
        else this.#options.onRest()
      },
      (error: unknown) => {
        this.#isWriting = false
        const message = error instanceof Error ? error.message : String(error)
        this.#options.onFail(error instanceof EngineError ? error : new EngineError('store', message))
      },
    )
  }

  /** Nothing is written any more. */
  stop(): void {
    this.#isStopped = true
  }

  /** Resolves when all that has happened is written, or never will be. */
  async flushed(): Promise<void> {
    while (this.#isWriting) await this.#written
  }

  get #isDirty(): boolean {
    const isWritten = !this.#isNew && this.#run === this.#stored.body.run
    return !this.#isStopped && !(isWritten && this.#commands.length === 0)
  }

  async #work(): Promise<void> {
    while (this.#isDirty) {
      const commands = this.#commands
      this.#commands = []
      const before = this.#stored.body.run
      if (this.#isNew || this.#run !== before) await this.#write(commands)
      for (const command of commands) this.#options.perform(command)
      this.#options.onWritten(before)
    }
  }

  async #write(commands: readonly Command[]): Promise<void> {
    const { store, now, settings, marks } = this.#options
    const isNew = this.#isNew
    const after = storable(this.#stored, this.#run, this.#answered, now(), { isNew, ...marks(this.#run, commands) })
    if (!isNew) {
      if (!(await store.update(this.#stored, after))) throw lost()
    } else {
      const created = await store.create(after, { all: settings.maxOpen, perOwner: settings.maxOpenPerOwner })
      if (created === 'exists') throw new EngineError('store', 'The id of the run is taken')
      if (created !== 'created')
        throw tooMany(created === 'full' ? 'that have not ended' : 'of this caller that have not ended')
      this.#isNew = false
    }
    this.#stored = after
  }
}

const isCallOf = (other: Command, cancel: Command & { type: 'cancel' }): boolean =>
  other.type === 'call' && cancel.question === undefined && keyOf(other) === keyOf(cancel)
