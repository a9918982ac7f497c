import { readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { type Lock, parseLock } from '../aggregation/pinning/lock.ts'
import type { Args, Flag } from './args.ts'
import type { Source } from './configuration.ts'
import { CliError, EXIT, usageError } from './exit.ts'

/** Flags of every command that can be held to a lock. */
export const LOCK_FLAGS = {
  frozen: { type: 'boolean', help: 'withhold every definition that is not in the lock as it is (see vmcp lock)' },
  lock: { type: 'string', value: 'FILE', help: 'the lock (vmcp.lock beside the first configuration file)' },
} as const satisfies Record<string, Flag>

/** The lock that a command is held to. */
export interface Frozen {
  file: string
  lock: Lock
}

/** `undefined`: the command is held to none. Exits with 3 when there should be one and it cannot be used. */
export function frozenBy(args: Args, source: Source): Frozen | undefined {
  const named = args.text('lock')
  if (!args.on('frozen')) {
    if (named === undefined) return undefined
    throw usageError('--lock has no effect without --frozen', args.command)
  }
  const file = named === undefined ? lockBeside(source) : resolve(named)
  return { file, lock: readFrozen(file) }
}

/** Exits with 3 when there is none, or it cannot be used. */
export function readFrozen(file: string): Lock {
  const lock = readLock(file)
  if (lock) return lock
  throw new CliError(EXIT.config, `there is no lock at ${file}`, 'vmcp lock writes it')
}

/** Where the lock of a configuration lies: beside its first file, in its first folder. */
export function lockBeside({ inputs: [first = '.'] }: Source): string {
  if (first === '-') return resolve('vmcp.lock')
  const folder = statSync(first, { throwIfNoEntry: false })?.isDirectory() ? first : dirname(first)
  return resolve(join(folder, 'vmcp.lock'))
}

/** `undefined`: there is none. Exits with 3 when it cannot be used. */
export function readLock(file: string): Lock | undefined {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const { code = 'error' } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw new CliError(EXIT.config, `the lock ${file} cannot be read (${code})`)
  }
  const { lock, fault } = parseLock(text)
  if (lock) return lock
  const hint = 'take it back from version control, or remove it and run vmcp lock to approve everything anew'
  throw new CliError(EXIT.config, `the lock ${file} cannot be used: ${fault}`, hint)
}
