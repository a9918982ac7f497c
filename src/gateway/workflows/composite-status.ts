import type { AuthoredCompositeTool } from '../../config/schema/composite.ts'
import type { CompileFault } from '../../workflow/compile/faults.ts'
import type { Compiled } from '../../workflow/compile/reading.ts'
import type { Plan } from '../../workflow/plan.ts'
import { type MayHave, whyUnknown } from './away.ts'
import type { Answer } from './tool-memo.ts'

/** Whether a composite tool can be called. */
export type CompositeStatus = Ready | NotReady

interface Ready {
  readonly kind: 'ready'
  readonly plan: Plan
}

/** `waiting`: a backend has not told its tools yet. `withdrawn`: it does not fit the tools that there are. */
export interface NotReady {
  readonly kind: 'waiting' | 'withdrawn'
  readonly why: string
  /** For the operator: it may name tools that the caller does not see. */
  readonly hint?: string
}

/** Whether a composite tool fits the tools that were `asked` for. `unknown`: what nobody has told yet. */
type Fit = { readonly status: CompositeStatus } | { readonly unknown: readonly string[] }

export function fitOf(
  definition: AuthoredCompositeTool,
  { plan, faults }: Compiled,
  asked: ReadonlyMap<string, Answer>,
): Fit {
  if (!plan) return { status: { kind: 'withdrawn', ...told(definition, errorsIn(faults)) } }
  const unknown = [...asked].flatMap(([name, answer]) => (answer === 'not known yet' ? [name] : []))
  return unknown.length === 0 ? { status: { kind: 'ready', plan } } : { unknown }
}

/** Says why with what is known at that moment: a backend's fault may become another one. */
export const waitingFor = (unknown: readonly string[], mayHave: MayHave): NotReady => ({
  kind: 'waiting',
  get why() {
    return whyUnknown(unknown, mayHave)
  },
})

export const errorsIn = (faults: readonly CompileFault[]): readonly CompileFault[] =>
  faults.filter(({ severity }) => severity === 'error')

function told({ steps }: AuthoredCompositeTool, [first, ...more]: readonly CompileFault[]): Omit<NotReady, 'kind'> {
  if (!first) return { why: 'it has faults' }
  const rest = more.length === 0 ? '' : ` (and ${more.length} more)`
  const [root, index, ...key] = first.path
  const step = root === 'steps' ? steps[Number(index)] : undefined
  const where = step ? `step "${step.id}"${key.length === 0 ? '' : `, ${key.join('.')}`}` : first.path.join('.')
  return { why: `${where}: ${first.message}${rest}`, ...(first.hint !== undefined && { hint: first.hint }) }
}
