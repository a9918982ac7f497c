import { fork, spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'

/** Everything that this run has started and not yet seen end. */
const alive = new Set<ChildProcess>()

export interface Started {
  pid: number
  /** The first line on stdout that fits the pattern. */
  line: string
  /** From spawn to that line, in milliseconds. */
  ms: number
  stop: () => Promise<void>
}

/**
 * Starts `node ...args` and waits for its announcement.
 * @throws with the end of its stderr when it exits or stays silent for so long.
 */
export async function start(args: string[], pattern: RegExp, silentMs = 20_000): Promise<Started> {
  const began = performance.now()
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  track(child)
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-2000)))
  try {
    const line = await new Promise<string>((resolve, reject) => {
      const fail = (why: string) => reject(new Error(`${args.join(' ')}: ${why}\n${stderr}`))
      const timer = setTimeout(() => fail(`no announcement within ${silentMs / 1000} s`), silentMs)
      child.once('exit', (code) => fail(`exited with ${code}`))
      child.once('error', (error) => fail(error.message))
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (!pattern.test(line)) return
        clearTimeout(timer)
        resolve(line)
      })
    })
    return { pid: child.pid ?? 0, line, ms: performance.now() - began, stop: () => stop(child) }
  } catch (error) {
    await stop(child)
    throw error
  }
}

/** A child with an IPC channel. */
export function startWorker(module: string): { child: ChildProcess; stop: () => Promise<void> } {
  const child = fork(module, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], serialization: 'advanced' })
  track(child)
  return { child, stop: () => stop(child) }
}

function track(child: ChildProcess): void {
  alive.add(child)
  child.once('exit', () => alive.delete(child))
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 3_000)
  await exited
  clearTimeout(timer)
}

/** Ctrl-C and every other way out end what was started. */
export function endChildrenOnExit(): void {
  process.on('exit', () => {
    for (const child of alive) child.kill('SIGKILL')
  })
  process.on('SIGINT', () => process.exit(130))
  process.on('SIGTERM', () => process.exit(143))
}
