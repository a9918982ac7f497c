import type { StepStatus } from '../plan.ts'

interface Tint {
  readonly fill: string
  readonly line: string
}

export interface Theme {
  readonly page: string
  readonly text: string
  readonly faint: string
  readonly edge: string
  /** Of a step of which no state is known. */
  readonly plain: Tint
  readonly states: Readonly<Record<StepStatus, Tint>>
}

/** Texts keep a contrast of 4.5 to 1 on every fill. */
export const LIGHT: Theme = {
  page: '#ffffff',
  text: '#1f2328',
  faint: '#57606a',
  edge: '#6e7781',
  plain: { fill: '#f6f8fa', line: '#8c959f' },
  states: {
    pending: { fill: '#f6f8fa', line: '#8c959f' },
    running: { fill: '#ddf4ff', line: '#0969da' },
    waiting: { fill: '#fff8c5', line: '#9a6700' },
    completed: { fill: '#dafbe1', line: '#1a7f37' },
    failed: { fill: '#ffebe9', line: '#cf222e' },
    skipped: { fill: '#eaeef2', line: '#8c959f' },
    cancelled: { fill: '#fff1e5', line: '#bc4c00' },
    unknown: { fill: '#fbefff', line: '#8250df' },
  },
}

export const DARK: Theme = {
  page: '#0d1117',
  text: '#e6edf3',
  faint: '#a0a9b4',
  edge: '#7d8590',
  plain: { fill: '#161b22', line: '#6e7681' },
  states: {
    pending: { fill: '#161b22', line: '#6e7681' },
    running: { fill: '#0c2d4d', line: '#4493f8' },
    waiting: { fill: '#332800', line: '#d29922' },
    completed: { fill: '#0b2e16', line: '#3fb950' },
    failed: { fill: '#3c1317', line: '#f85149' },
    skipped: { fill: '#21262d', line: '#6e7681' },
    cancelled: { fill: '#3a1d08', line: '#db6d28' },
    unknown: { fill: '#2a1a45', line: '#a371f7' },
  },
}
