import type { Context, Core } from '../../model/call.ts'
import { GatewayError } from '../../model/errors.ts'
import type { JsonObject, JsonValue } from '../../model/json.ts'
import { type Principal, principalKey } from '../../model/principal.ts'
import type { WorkflowSettings } from '../../model/settings.ts'
import type { Plan } from '../../workflow/plan.ts'
import { createEngine, type Engine } from '../../workflow/run/engine.ts'
import type { Answers } from '../../workflow/run/answers.ts'
import { type RunCaller, CLOCK, EngineError, type RunView, type Turn } from '../../workflow/run/ports.ts'
import { DEFAULT_SETTINGS, type Settings } from '../../workflow/run/settings.ts'
import type { ListedRun, RunFilter, RunStore } from '../../workflow/store/run-store.ts'
import type { Telemetry } from '../../telemetry/events.ts'
import { StoreError } from '../../workflow/store/store-error.ts'
import { showing } from './lasting-context.ts'
import { answerProblem } from './questions.ts'
import { callStep } from './step-call.ts'

export interface RunsParts {
  store: RunStore
  /** Asked each time: the configuration may change. */
  settings: () => Configured
  telemetry: Telemetry
  /** What steps call: always that of the current generation. */
  core: Core
  /** Of a composite tool that is configured now. */
  shownName: (workflow: string) => string | undefined
  /** With the tools that there are now for this caller. `ended`: ids of steps that call nothing any more. */
  plan: (
    definition: JsonValue,
    ended: readonly string[],
    caller: Context,
  ) => { plan: Plan } | { faults: readonly string[] }
}

type Configured = Pick<WorkflowSettings, 'questionMs' | 'askMs' | 'valuesMs' | 'historyMs'>

/** Of one principal, that have not ended, there are no more. */
export const MOST_OPEN = DEFAULT_SETTINGS.maxOpenPerOwner

interface Beginning {
  plan: Plan
  definition: JsonValue
  /** Checked, with the defaults applied. */
  params: JsonObject
  caller: RunCaller<Context>
  id?: string
}

/** The runs of composite tools of one gateway. They outlive the generation that they began in. */
export class Runs {
  readonly #engine: Engine<Context>
  readonly #store: RunStore
  readonly #telemetry: Telemetry

  constructor({ store, settings, core, plan, telemetry, shownName }: RunsParts) {
    this.#store = store
    this.#telemetry = telemetry
    this.#engine = createEngine<Context>(
      {
        ...CLOCK,
        store,
        call: (step, signal) => callStep(core, step, signal, shownName),
        plan,
        check: answerProblem,
      },
      settingsNow(settings),
    )
  }

  begin(beginning: Beginning): Promise<Turn> {
    return this.#engine.begin({ ...beginning, owner: ownerOf(beginning.caller) }).catch(this.#told)
  }

  resume(id: string, answers: Answers, caller: RunCaller<Context>): Promise<Turn> {
    return this.#engine.resume(id, ownerOf(caller), answers, caller).catch(this.#told)
  }

  /** As `Engine.answer` has it. */
  answer(id: string, answers: Answers, caller: RunCaller<Context>): Promise<boolean> {
    return this.#engine.answer(id, ownerOf(caller), answers, caller).catch(this.#told)
  }

  /** From now on the steps of a run go out with what this request of its owner shows. */
  refresh(id: string, context: Context): void {
    this.#engine.refresh(id, principalKey(context.principal), (before) => showing(before, context))
  }

  /** Calls back when a run that goes on here has changed in a way that its owner sees. */
  onChange(listener: (id: string) => void): () => void {
    return this.#engine.onChange(listener)
  }

  /** `undefined`: this principal has no such run, or it has been erased. */
  look(id: string, principal: Principal): Promise<RunView | undefined> {
    return this.#engine.look(id, principalKey(principal)).catch(this.#told)
  }

  /** False: this principal has no such run, or it has ended. */
  cancel(id: string, principal: Principal): Promise<boolean> {
    return this.#engine.cancel(id, principalKey(principal)).catch(this.#told)
  }

  /** As in a list, whoever's it is: for the operator. `undefined`: there is no such run, or it has been forgotten. */
  find(id: string): Promise<ListedRun | undefined> {
    return this.#store.read(id).catch(this.#told)
  }

  /** The runs of one principal, newest first. */
  list(filter: Omit<RunFilter, 'owner'>, principal: Principal): Promise<ListedRun[]> {
    return this.#store.list({ ...filter, owner: principalKey(principal) }).catch(this.#told)
  }

  /** What the store says of itself, files and keys, is for the operator. */
  readonly #told = (error: unknown): never => {
    if (error instanceof StoreError || (error instanceof EngineError && error.kind === 'store')) {
      this.#telemetry.emit('workflow-store.failing', { why: error.message })
      const message = 'Runs of composite tools cannot be kept, or read, at the moment'
      throw new GatewayError('STORE_UNAVAILABLE', message, { cause: error })
    }
    if (!(error instanceof EngineError) || error.kind === 'store') throw error
    throw new GatewayError(CODES[error.kind], error.message, { cause: error })
  }

  /** There are other tools, or other definitions: what remains of each run is checked again. */
  replan(): void {
    if (this.#engine.size > 0) this.#engine.replan()
  }

  /** Ends what nobody can come back to. */
  async close(): Promise<void> {
    await this.#engine.close()
    await this.#store.close()
  }
}

/** As the configuration has them whenever the engine looks. */
const settingsNow = (configured: () => Configured): Settings => ({
  ...DEFAULT_SETTINGS,
  get questionMs() {
    return configured().questionMs
  },
  get askMs() {
    return configured().askMs
  },
  get valuesMs() {
    return configured().valuesMs
  },
  get historyMs() {
    return configured().historyMs
  },
})

const ownerOf = ({ context }: RunCaller<Context>): string => principalKey(context.principal)

const CODES = {
  busy: 'BACKEND_BUSY',
  invalid: 'PARAMS_INVALID',
  lost: 'STORE_UNAVAILABLE',
  stopping: 'SHUTTING_DOWN',
  withdrawn: 'CANCELLED',
  expired: 'DEADLINE_EXCEEDED',
} as const
