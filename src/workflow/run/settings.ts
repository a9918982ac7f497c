/** Times in milliseconds. */
export interface Settings {
  /** How long a question waits for a caller that comes back. */
  readonly questionMs: number
  /** How long a question waits while its caller, or a call to a backend, waits for it. */
  readonly askMs: number
  /** Runs that go on in this process at once. */
  readonly maxRunning: number
  readonly maxRunningPerOwner: number
  /** Runs in the store that have not ended. */
  readonly maxOpen: number
  readonly maxOpenPerOwner: number
  /** Of the results, outputs and contents, that one run keeps: bytes, about, of their JSON. */
  readonly resultBytes: number
  /** Without a sign of life for this long, a process is dead. */
  readonly leaseMs: number
  /** How long a caller whose process has died may take to come back. */
  readonly graceMs: number
  readonly upkeepMs: number
  /** How long after its end the values of a run are kept. */
  readonly valuesMs: number
  /** How long after its end a run is kept. */
  readonly historyMs: number
  readonly historyRuns: number
}

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

export const DEFAULT_SETTINGS: Settings = {
  questionMs: DAY,
  askMs: 5 * MINUTE,
  maxRunning: 1_000,
  maxRunningPerOwner: 100,
  maxOpen: 10_000,
  maxOpenPerOwner: 1_000,
  resultBytes: 64 * 2 ** 20,
  leaseMs: 30_000,
  graceMs: 5 * MINUTE,
  upkeepMs: MINUTE,
  valuesMs: DAY,
  historyMs: 7 * DAY,
  historyRuns: 10_000,
}
