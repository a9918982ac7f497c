import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

import { descendants, isAlive, waitFor } from './processes.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

/** `vmcp` as a user starts it. */
export interface CommandLine {
  pid: number
  stdout(): string
  stderr(): string
  /** Exit code, or the signal that ended it. */
  exited: Promise<number | string>
  signal(signal: NodeJS.Signals): void
  /** Waits for the endpoint. */
  url(): Promise<string>
  /** Ends it and everything below it, whatever state it is in. */
  end(): Promise<void>
}

/** `input`: all that it reads from standard input. */
export function startCommandLine(args: readonly string[], env: Record<string, string> = {}, input = ''): CommandLine {
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1', ...env },
  })
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const exited = new Promise<number | string>((resolve) => {
    child.on('exit', (code, signal) => resolve(code ?? signal ?? ''))
  })
  const pid = child.pid ?? 0
  return {
    pid,
    stdout: () => stdout,
    stderr: () => stderr,
    exited,
    signal: (signal) => void child.kill(signal),
    async url() {
      const found = await waitFor(
        () => /http:\/\/127\.0\.0\.1:\d+\/mcp/.exec(stdout)?.[0],
        10_000,
        `an endpoint in the output (${stderr})`,
      )
      return found
    },
    async end() {
      const below = descendants(pid)
      child.kill('SIGKILL')
      for (const each of below) killQuietly(each)
      await waitFor(() => !isAlive(pid), 5_000, 'the end of the gateway')
    },
  }
}

export function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}
