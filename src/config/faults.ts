import type { Position } from './positions.ts'

/**
 * One thing that is wrong with a configuration, at one place.
 * `scope` `file`: the whole configuration is refused. `backend`, `workflow`: that backend, or that composite tool, is
 * withheld, the rest can be served.
 */
export interface Fault {
  file: string
  /** 1-based. */
  line: number
  /** 1-based. */
  column: number
  /** `aggregation.tools[0].workload`, in the author's own spelling. */
  path: string
  message: string
  /** The way out. */
  hint?: string
  severity: 'error' | 'warning'
  scope: 'file' | 'backend' | 'workflow'
}

function fault(
  at: Position,
  message: string,
  hint: string | undefined,
  kind: Pick<Fault, 'severity' | 'scope'>,
): Fault {
  const { file, line, column, path } = at
  return { file, line, column, path, message, ...(hint === undefined ? {} : { hint }), ...kind }
}

export const fileError = (at: Position, message: string, hint?: string): Fault =>
  fault(at, message, hint, { severity: 'error', scope: 'file' })

export const backendError = (at: Position, message: string, hint?: string): Fault =>
  fault(at, message, hint, { severity: 'error', scope: 'backend' })

export const workflowFault = (
  at: Position,
  message: string,
  hint: string | undefined,
  severity: Fault['severity'],
): Fault => fault(at, message, hint, { severity, scope: 'workflow' })

export const warning = (at: Position, message: string, hint?: string): Fault =>
  fault(at, message, hint, { severity: 'warning', scope: 'file' })
