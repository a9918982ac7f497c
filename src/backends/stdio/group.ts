import { readFileSync, readdirSync } from 'node:fs'

/**
 * Whether a process of the group still runs. Orphans that have ended stay in the process table, and answer signals,
 * until PID 1 collects them: in a container without an init that is never.
 */
export function groupRuns(group: number): boolean {
  try {
    process.kill(-group, 0)
  } catch {
    return false
  }
  const pids = processes()
  return pids === undefined || pids.some((pid) => runsIn(pid, group))
}

/** `undefined`: this system does not tell. */
function processes(): string[] | undefined {
  try {
    return process.platform === 'linux' ? readdirSync('/proc').filter((name) => /^\d+$/.test(name)) : undefined
  } catch {
    return undefined
  }
}

/** Fields of `/proc/PID/stat` behind the name, which may itself hold spaces and parentheses: state, parent, group. */
function runsIn(pid: string, group: number): boolean {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const [state, , of] = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return Number(of) === group && state !== 'Z' && state !== 'X'
  } catch {
    // It ended between the two looks.
    return false
  }
}
