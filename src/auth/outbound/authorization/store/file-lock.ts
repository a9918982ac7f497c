import { randomUUID } from 'node:crypto'
import { readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { unavailable } from '../unavailable.ts'
import { unusable } from './store-fault.ts'

export interface LockTimes {
  /** A holder shows in this interval that it lives. */
  readonly beatMs: number
  /** One that does not for this long is dead. */
  readonly staleMs: number
  /** For the lock; then the work is given up. */
  readonly patienceMs: number
}

const TIMES: LockTimes = { beatMs: 2000, staleMs: 15_000, patienceMs: 60_000 }
const RETRY_MS = 25

/**
 * Runs while this process alone holds the lock file. The lock of a process that has died is broken: at once when it ran
 * on this machine, else when it has been silent. Throws `CREDENTIAL_UNAVAILABLE` when patience ends.
 */
export async function withFileLock<T>(path: string, work: () => Promise<T>, times: LockTimes = TIMES): Promise<T> {
  const mark = `${hostname()} ${process.pid} ${randomUUID()}`
  await acquire(path, mark, times)
  const beat = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => {}), times.beatMs).unref()
  try {
    return await work()
  } finally {
    clearInterval(beat)
    // It may have been taken for dead and have lost the lock to another one.
    if ((await markOf(path)) === mark) await rm(path, { force: true })
  }
}

async function acquire(path: string, mark: string, times: LockTimes): Promise<void> {
  const end = performance.now() + times.patienceMs
  for (;;) {
    try {
      await writeFile(path, mark, { flag: 'wx', mode: 0o600 })
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unusable('written', path, error)
    }
    const holder = await markOf(path)
    if (holder !== undefined && (await isDead(path, holder, times))) await breakLock(path, holder, times)
    else if (performance.now() > end) throw unavailable('the token store is held by another process')
    else await sleep(RETRY_MS * (1 + Math.random()))
  }
}

const markOf = (path: string): Promise<string | undefined> => readFile(path, 'utf8').catch(() => undefined)

async function isDead(path: string, mark: string, { staleMs }: LockTimes): Promise<boolean> {
  const [host, pid] = mark.split(' ')
  if (host === hostname() && pid !== undefined && !isRunning(Number(pid))) return true
  return (await ageOf(path)) > staleMs
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

/** Only one at a time may do so, or a lock that was taken after the dead one would be broken as well. */
async function breakLock(path: string, dead: string, { staleMs }: LockTimes): Promise<void> {
  const breaking = `${path}.break`
  try {
    await writeFile(breaking, '', { flag: 'wx', mode: 0o600 })
  } catch {
    if ((await ageOf(breaking)) > staleMs) await rm(breaking, { force: true })
    return
  }
  try {
    if ((await markOf(path)) === dead) await rm(path, { force: true })
  } finally {
    await rm(breaking, { force: true })
  }
}

/** Milliseconds since it showed life; none for a file that is not there. */
const ageOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => 0,
  )
