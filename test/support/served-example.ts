import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

import { descendants, isAlive, waitFor } from './processes.ts'

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

/** The built gateway, serving an example. */
export interface ServedExample {
  url: string
  /** Ends it as Ctrl-C does, and gives its exit code, or the signal. */
  stop(): Promise<unknown>
  /** Ends it and everything below it at once. */
  kill(): void
}

/**
 * Starts it and waits for its backends. `port`: absent, a free one.
 * @throws with what it printed, when they are not there in time.
 */
export async function serveExample(
  file: string,
  { backends, port = 0 }: { backends: number; port?: number },
): Promise<ServedExample> {
  const child = spawn(process.execPath, [MAIN, 'serve', file, '--port', String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  const exited = new Promise<unknown>((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal)))
  const kill = (): void => {
    const below = descendants(child.pid!)
    child.kill('SIGKILL')
    for (const pid of below) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
  }
  try {
    const url = await waitFor(() => /http:\/\/127\.0\.0\.1:\d+\/mcp/.exec(output)?.[0], 10_000, 'an endpoint')
    await waitFor(() => output.match(/^ {2}ready/gm)?.length === backends, 60_000, `${backends} ready backends`)
    return {
      url,
      stop: () => {
        child.kill('SIGINT')
        return exited
      },
      kill,
    }
  } catch (error) {
    kill()
    throw new Error(output, { cause: error })
  }
}
