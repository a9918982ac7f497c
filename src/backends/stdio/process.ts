import type { ChildProcess } from 'node:child_process'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import spawn from 'cross-spawn'
import type { StdioEndpoint } from '../../model/backend.ts'
import { GatewayError } from '../../model/errors.ts'
import { minimalEnvironment } from './environment.ts'
import { groupRuns } from './group.ts'

/** How long a process may take to end after its input closed, and again after SIGTERM. */
const STDIN_GRACE_MS = 1000
const TERM_GRACE_MS = 1500
/** How long its pipes are still read after it has ended; a grandchild may hold them open for ever. */
const LAST_WORDS_MS = 200

const running = new Set<ServerProcess>()

/** Ends every process group at once, synchronously: for the way out of a process that cannot wait. */
export function killAllProcesses(): void {
  for (const server of running) server.signal('SIGKILL')
}

/** Ends every process group, those of processes that are being stopped included: SIGTERM, SIGKILL after `graceMs`. */
export async function endAllProcesses(graceMs: number): Promise<void> {
  const servers = [...running]
  for (const server of servers) server.signal('SIGTERM')
  await Promise.all(servers.map((server) => server.goneWithin(graceMs)))
  killAllProcesses()
}

/**
 * A server process in a group of its own, so that what it starts (npx and uvx start the real server as a grandchild)
 * ends with it.
 */
export class ServerProcess {
  readonly #child: ChildProcess
  readonly exited: Promise<string>
  #exit: string | undefined
  #stopping: Promise<void> | undefined

  /** Throws `BACKEND_UNREACHABLE` when the command cannot be started. */
  static async start(endpoint: StdioEndpoint): Promise<ServerProcess> {
    if (endpoint.cwd !== undefined && !isDirectory(endpoint.cwd)) {
      throw new GatewayError('BACKEND_UNREACHABLE', `the working folder ${endpoint.cwd} does not exist (key: cwd)`)
    }
    const env = minimalEnvironment(process.env, process.platform)
    for (const [name, value] of Object.entries(endpoint.env)) env[name] = value.reveal()
    const child = spawn(endpoint.command, [...endpoint.args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env,
      cwd: endpoint.cwd,
      detached: process.platform !== 'win32',
      windowsHide: true,
    })
    const server = new ServerProcess(child)
    try {
      await once(child, 'spawn')
    } catch (error) {
      running.delete(server)
      throw startFault(endpoint.command, error)
    }
    return server
  }

  private constructor(child: ChildProcess) {
    this.#child = child
    running.add(this)
    this.exited = new Promise((resolve) => {
      // 'close' waits for the pipes; 'exit' is the process itself.
      child.once('exit', (code, signal) => {
        const how = signal === null ? `exited with code ${code}` : `was ended by ${signal}`
        this.#exit = how
        this.signal('SIGTERM')
        const timer = setTimeout(resolve, LAST_WORDS_MS, how)
        child.once('close', () => {
          clearTimeout(timer)
          resolve(how)
        })
      })
      child.once('error', (error) => resolve(`could not be started: ${error.message}`))
    })
    // A write to a process that has just ended must not end ours.
    child.stdin?.on('error', () => {})
  }

  get stdout(): NodeJS.ReadableStream | null {
    return this.#child.stdout
  }

  get stderr(): NodeJS.ReadableStream | null {
    return this.#child.stderr
  }

  get ended(): boolean {
    return this.#exit !== undefined
  }

  /** Bytes that it has not read yet. */
  get unread(): number {
    return this.#child.stdin?.writableLength ?? 0
  }

  /** `done` is told of an error when the process ended before it had read all of the text. */
  write(text: string, done?: (error: Error | null | undefined) => void): void {
    this.#child.stdin?.write(text, done)
  }

  /** To the whole group; harmless when it is gone. */
  signal(signal: NodeJS.Signals): void {
    const { pid } = this.#child
    if (pid === undefined) return
    if (process.platform === 'win32') {
      spawnSync('taskkill', ['/pid', String(pid), '/T', '/F'], { windowsHide: true })
      return
    }
    try {
      process.kill(-pid, signal)
    } catch {
      // ESRCH: nobody is left.
    }
  }

  /** Input closed, then SIGTERM, then SIGKILL, each for the whole group. Resolves when nothing is left of it. */
  async stop(): Promise<void> {
    this.#stopping ??= this.#end()
    await this.#stopping
  }

  async #end(): Promise<void> {
    this.#child.stdin?.end()
    if (!(await this.goneWithin(STDIN_GRACE_MS))) {
      this.signal('SIGTERM')
      if (!(await this.goneWithin(TERM_GRACE_MS))) this.signal('SIGKILL')
      await this.goneWithin(TERM_GRACE_MS)
    }
    this.#child.stdout?.destroy()
    this.#child.stderr?.destroy()
    // From here on the group's number may be somebody else's.
    running.delete(this)
  }

  /** Whether the whole group has ended within `ms`. */
  async goneWithin(ms: number): Promise<boolean> {
    const until = Date.now() + ms
    for (let wait = 5; ; wait = Math.min(wait * 2, 50)) {
      if (!this.#groupAlive()) return true
      if (Date.now() >= until) return false
      await Promise.race([
        new Promise((resolve) => setTimeout(resolve, wait)),
        ...(this.#exit === undefined ? [this.exited] : []),
      ])
    }
  }

  #groupAlive(): boolean {
    const { pid } = this.#child
    if (pid === undefined) return false
    if (process.platform === 'win32') return this.#exit === undefined
    return this.#exit === undefined || groupRuns(pid)
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

function startFault(command: string, error: unknown): GatewayError {
  const code = (error as NodeJS.ErrnoException | undefined)?.code
  const what =
    code === 'ENOENT'
      ? `command not found: ${command} (is it installed, and on the PATH of the gateway?)`
      : code === 'EACCES'
        ? `${command} is not executable`
        : `${command} could not be started: ${code ?? String(error)}`
  return new GatewayError('BACKEND_UNREACHABLE', what, { cause: error })
}
