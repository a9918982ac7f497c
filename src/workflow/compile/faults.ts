export type Path = readonly (string | number)[]

/** One thing that is wrong with a definition. */
export interface CompileFault {
  /** From the definition to the culprit, in the spelling of the schema. A key that is missing is named as well. */
  readonly path: Path
  /** Within the text that stands there, UTF-16 units. */
  readonly offset?: number
  readonly message: string
  /** The way out. */
  readonly hint?: string
  readonly severity: 'error' | 'warning'
}

export interface Place {
  readonly path: Path
  readonly offset?: number | undefined
}

/** Collects what is wrong while a definition is read. */
export interface Ledger {
  readonly faults: readonly CompileFault[]
  readonly error: (at: Place, message: string, hint?: string) => void
  readonly warn: (at: Place, message: string, hint?: string) => void
}

export function ledger(): Ledger {
  const faults: CompileFault[] = []
  const add =
    (severity: CompileFault['severity']) =>
    ({ path, offset }: Place, message: string, hint?: string) => {
      const more = { ...(offset === undefined ? {} : { offset }), ...(hint === undefined ? {} : { hint }) }
      faults.push({ path, message, severity, ...more })
    }
  return { faults, error: add('error'), warn: add('warning') }
}
