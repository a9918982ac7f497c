import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'

/** Says what is missing, before anything is started. @throws without a Linux `/proc`. */
export function requireProc(): void {
  if (existsSync('/proc/self/stat')) return
  throw new Error(
    'the benchmark reads CPU time and memory from /proc, which this system does not have: run it on Linux',
  )
}

let ticks: number | undefined

/** Microseconds per clock tick of /proc: 10,000 almost everywhere. */
function tickUs(): number {
  ticks ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  return 1e6 / ticks
}

/** User plus system time of a process, its live descendants, and the dead ones it has waited for. In microseconds. */
export function treeCpuUs(pid: number): number {
  let sum = 0
  for (const member of tree(pid)) {
    const [utime = 0, stime = 0, cutime = 0, cstime = 0] = stat(member).slice(11, 15).map(Number)
    sum += utime + stime + cutime + cstime
  }
  return sum * tickUs()
}

/**
 * Time that the living threads of a process have run, in microseconds and exact, where `treeCpuUs` counts in clock ticks.
 * Falls back to that on kernels which do not tell.
 */
export function threadsCpuUs(pid: number): number {
  try {
    const times = readdirSync(`/proc/${pid}/task`).map((task) =>
      Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'latin1').split(' ', 1)[0]),
    )
    const sum = times.reduce((all, each) => all + each, 0) / 1000
    if (sum > 0) return sum
  } catch {
    // As below.
  }
  return treeCpuUs(pid)
}

/** Resident memory of a process and its live descendants, in bytes. */
export function treeRss(pid: number): number {
  return tree(pid).reduce((sum, member) => sum + status(member, 'VmRSS'), 0)
}

/** Resident memory of a process at its highest while `work` ran, in bytes. */
export async function peakRss(pid: number, work: () => Promise<void>): Promise<number> {
  let highest = status(pid, 'VmRSS')
  const sample = setInterval(() => (highest = Math.max(highest, status(pid, 'VmRSS'))), 2)
  const reset = resetPeak(pid)
  try {
    await work()
  } finally {
    clearInterval(sample)
  }
  return reset ? status(pid, 'VmHWM') : Math.max(highest, status(pid, 'VmRSS'))
}

/** Some kernels do not let us; sampling must do then. */
function resetPeak(pid: number): boolean {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5')
    return true
  } catch {
    return false
  }
}

/** Fields of /proc/PID/stat after the name, which may hold spaces; empty once the process is gone. */
function stat(pid: number): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return []
  }
}

function status(pid: number, field: string): number {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'latin1')
    return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}

function tree(pid: number): number[] {
  const found = [pid]
  for (const member of found) found.push(...children(member))
  return found
}

/** Every thread has its own list of children. */
function children(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1').split(' ').filter(Boolean).map(Number),
    )
  } catch {
    return []
  }
}
