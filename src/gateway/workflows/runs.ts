import type { Context, Core } from '../../model/call.ts'
import { GatewayError } from '../../model/errors.ts'
import type { JsonObject, JsonValue } from '../../model/json.ts'
import { type Principal, principalKey } from '../../model/principal.ts'
import type { WorkflowSettings } from '../../model/settings.ts'
import type { Plan } from '../../workflow/plan.ts'
import { createEngine, type Engine } from '../../workflow/run.ts'
import type { Answers } from '../../workflow/run/answers.ts'
import { askedQuestions } from '../../workflow/run/performance.ts'
import { type Caller, CLOCK, EngineError, type Look, type Turn } from '../../workflow/run/ports.ts'
import { DEFAULT_SETTINGS } from '../../workflow/run/settings.ts'
import type { ListedRun, RunBody, RunFilter, RunStore, StoredRun } from '../../workflow/store/run-store.ts'
import type { Telemetry } from '../../telemetry/events.ts'
import { StoreError } from '../../workflow/store/store-error.ts'
import { answerProblem } from './questions.ts'
import { callStep } from './step-call.ts'

export interface RunsParts {
  store: RunStore
  settings: Pick<WorkflowSettings, 'questionMs' | 'askMs' | 'valuesMs' | 'historyMs'>
  telemetry: Telemetry
  /** What steps call: always that of the current generation. */
  core: Core
  /** With the tools that there are now for this caller. `ended`: ids of steps that call nothing any more. */
  planAgain: (
    definition: JsonValue,
    ended: readonly string[],
    caller: Context,
  ) => { plan: Plan } | { faults: readonly string[] }
}

/** Of one principal, that have not ended, there are no more. */
export const MOST_OPEN = DEFAULT_SETTINGS.maxOpenPerOwner

/** A run as its owner may see it. Times are milliseconds since the epoch. */
export interface RunRecord {
  readonly look: Exclude<Look, { kind: 'unknown' }>
  readonly workflow: string
  /** Of the call, with the defaults applied. */
  readonly arguments: JsonObject
  readonly createdAt: number
  readonly updatedAt: number
  /** When what it came to is erased. Absent: it goes on. */
  readonly erasedAt?: number
  /** Questions that are kept open, whether or not it goes on beside them. */
  readonly open: readonly string[]
  /** Nobody performs it, or nobody has answered in time: whoever resumes it makes it go on. */
  readonly isDue: boolean
}

interface Beginning {
  plan: Plan
  definition: JsonValue
  /** Checked, with the defaults applied. */
  params: JsonObject
  caller: Caller<Context>
  id?: string
}

/** The runs of composite tools of one gateway. They outlive the generation that they began in. */
export class Runs {
  readonly #engine: Engine<Context>
  readonly #store: RunStore
  readonly #valuesMs: number
  readonly #telemetry: Telemetry

  constructor({ store, settings, core, planAgain, telemetry }: RunsParts) {
    const { questionMs, askMs, valuesMs, historyMs } = settings
    this.#store = store
    this.#valuesMs = valuesMs
    this.#telemetry = telemetry
    this.#engine = createEngine<Context>(
      {
        ...CLOCK,
        store,
        call: (step, signal) => callStep(core, step, signal),
        plan: planAgain,
        check: answerProblem,
      },
      { ...DEFAULT_SETTINGS, questionMs, askMs, valuesMs, historyMs },
    )
  }

  begin(beginning: Beginning): Promise<Turn> {
    return this.#engine.begin({ ...beginning, owner: ownerOf(beginning.caller) }).catch(this.#told)
  }

  resume(id: string, answers: Answers, caller: Caller<Context>): Promise<Turn> {
    return this.#engine.resume(id, ownerOf(caller), answers, caller).catch(this.#told)
  }

  /** `undefined`: this principal has no such run, or it has been erased. */
  async record(id: string, principal: Principal): Promise<RunRecord | undefined> {
    const owner = principalKey(principal)
    const stored = await this.#store.read(id).catch(this.#told)
    if (!stored?.body || stored.owner !== owner) return undefined
    const look = await this.#engine.look(id, owner).catch(this.#told)
    return look.kind === 'unknown' ? undefined : recordOf({ ...stored, body: stored.body }, look, this.#valuesMs)
  }

  /** False: this principal has no such run, or it has ended. */
  cancel(id: string, principal: Principal): Promise<boolean> {
    return this.#engine.cancel(id, principalKey(principal)).catch(this.#told)
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
  recheck(): void {
    if (this.#engine.size > 0) this.#engine.reloaded()
  }

  /** Ends what nobody can come back to. */
  async close(): Promise<void> {
    await this.#engine.close()
    await this.#store.close()
  }
}

function recordOf(stored: StoredRun & { body: RunBody }, look: RunRecord['look'], valuesMs: number): RunRecord {
  const { workflow, createdAt, updatedAt, endedAt, lease, openUntil = Infinity, body } = stored
  const asked = look.kind === 'asking' ? look.questions : []
  const open = [...askedQuestions(body.run), ...asked.filter(({ mode }) => mode === 'backend')]
  return {
    look,
    workflow,
    arguments: body.run.body.params,
    createdAt,
    updatedAt,
    ...(endedAt !== undefined && { erasedAt: endedAt + valuesMs }),
    open: open.map(({ id }) => id),
    isDue: look.kind !== 'finished' && (lease?.until ?? openUntil) <= CLOCK.now(),
  }
}

const ownerOf = ({ context }: Caller<Context>): string => principalKey(context.principal)

const CODES = {
  busy: 'BACKEND_BUSY',
  invalid: 'PARAMS_INVALID',
  lost: 'STORE_UNAVAILABLE',
  stopping: 'SHUTTING_DOWN',
} as const
