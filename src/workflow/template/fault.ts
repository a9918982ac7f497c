import { EvaluationError } from '../plan.ts'

/** Why a text is not a template. */
export interface TemplateFault {
  readonly message: string
  /** In UTF-16 units from the start of the text. */
  readonly offset: number
  /** What to write instead. */
  readonly hint?: string
}

/** Carries a fault out of the parsers; `parseTemplate` catches it. */
export class Refused extends Error {
  readonly fault: TemplateFault
  constructor(fault: TemplateFault) {
    super(fault.message)
    this.fault = fault
  }
}

export function refuse(message: string, offset: number, hint?: string): never {
  throw new Refused(hint === undefined ? { message, offset } : { message, offset, hint })
}

export type TemplateErrorCode =
  /** A path leads nowhere, and a value is needed there. */
  | 'missing'
  /** A value has the wrong type. */
  | 'type'
  /** A value has the right type, and still cannot be worked with: no date, division by zero. */
  | 'value'
  | 'nesting_limit'
  | 'output_limit'
  | 'step_limit'

/** A template cannot be evaluated for the scope that it was given. */
export class TemplateError extends EvaluationError {
  override readonly name = 'TemplateError'
  readonly code: TemplateErrorCode
  /** Of the expression in the template's text, UTF-16 units. */
  readonly offset: number
  /** With code `missing`: the path that led nowhere, from its root where that is known. */
  readonly path: readonly (string | number)[]
  constructor(code: TemplateErrorCode, message: string, offset: number, path: readonly (string | number)[] = []) {
    super(message)
    this.code = code
    this.offset = offset
    this.path = path
  }
}
