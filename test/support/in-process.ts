import { run } from '../../src/cli/run.ts'

export interface Ran {
  code: number
  stdout: string
  stderr: string
}

let before: Promise<unknown> = Promise.resolve()

/**
 * A command as a user gives it, without the second that a process of its own takes: for tests of what commands say, not
 * of processes. One at a time, since there is one standard output.
 */
export function vmcp(...args: string[]): Promise<Ran> {
  const ran = before.then(() => captured(args))
  before = ran.catch(() => {})
  return ran
}

async function captured(args: string[]): Promise<Ran> {
  const said = { stdout: '', stderr: '' }
  const { stdout, stderr } = process
  const writes = { stdout: stdout.write.bind(stdout), stderr: stderr.write.bind(stderr) }
  const capture = (name: 'stdout' | 'stderr') =>
    ((text: string | Uint8Array) => {
      said[name] += String(text)
      return true
    }) as typeof stdout.write
  stdout.write = capture('stdout')
  stderr.write = capture('stderr')
  const listeners = new Map(SIGNALS.map((name) => [name, process.listeners(name as 'SIGINT')]))
  try {
    return { code: await run(args), ...said }
  } finally {
    stdout.write = writes.stdout
    stderr.write = writes.stderr
    // Commands wait for signals until their process ends; here it goes on.
    for (const [name, known] of listeners) {
      for (const listener of process.listeners(name as 'SIGINT'))
        if (!known.includes(listener)) process.off(name, listener)
    }
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'exit'] as const
