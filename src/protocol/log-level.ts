/** Levels of logging, least severe first (2025-11-25, utilities/logging, "Log Levels"; RFC 5424). */
export const LOG_LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'] as const

export type LogLevel = (typeof LOG_LEVELS)[number]

const RANKS: ReadonlyMap<unknown, number> = new Map(LOG_LEVELS.map((level, rank) => [level, rank]))

/** What a client of a legacy session hears before it says otherwise (the server decides, "Setting Log Level"). */
export const DEFAULT_LOG_LEVEL: LogLevel = 'info'

const UNKNOWN = LOG_LEVELS.indexOf(DEFAULT_LOG_LEVEL)

export function isLogLevel(value: unknown): value is LogLevel {
  return RANKS.has(value)
}

/**
 * Whether a message of this level goes to somebody who asked for `threshold` and above. A level that no revision knows
 * counts as `info`: servers invent `warn` and `trace`, and a message that nobody can rank is no reason to wake anyone.
 */
export function passes(level: unknown, threshold: string): boolean {
  return (RANKS.get(level) ?? UNKNOWN) >= (RANKS.get(threshold) ?? UNKNOWN)
}
