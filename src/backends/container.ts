import { accessSync, constants } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import type { Credential } from '../model/credential.ts'
import type { ContainerEndpoint, Era, StdioEndpoint } from '../model/backend.ts'
import { Cancellation } from '../model/cancellation.ts'
import { GatewayError } from '../model/errors.ts'
import { pause } from '../model/pause.ts'
import { Secret } from '../model/secret.ts'
import { httpConnector } from './http/connector.ts'
import { HttpRefusal } from './http/refusal.ts'
import type { Connector, Leg, LegContext } from './leg.ts'
import { sseConnector } from './sse/connector.ts'
import { openStdio } from './stdio/connector.ts'
import { ServerProcess } from './stdio/process.ts'
import { TextLines } from './stdio/text-lines.ts'

const ENGINES = ['docker', 'podman']
const PORT_POLL_MS = 250
/** How long the port of a container may stay shut; its image may have to be fetched first. */
const START_LIMIT_MS = 300_000

/** Runs an image with the engine of this machine; a server that listens is reached through a loopback port. */
export function containerConnector(endpoint: ContainerEndpoint, credential?: Credential): Connector {
  return endpoint.transport === 'stdio' ? stdioContainer(endpoint) : listeningContainer(endpoint, credential)
}

function stdioContainer(endpoint: ContainerEndpoint): Connector {
  return {
    open: async (era, context, signal) => openStdio(command(endpoint, ['-i']), era, context, signal),
    close: async () => {},
  }
}

/** One container for all legs, started by the first that needs it, and again after it has ended. */
function listeningContainer(endpoint: ContainerEndpoint, credential: Credential | undefined): Connector {
  let current: Promise<Container> | undefined
  let closed = false
  const container = (context: LegContext): Promise<Container> => {
    if (current) return current
    const forget = (): void => {
      if (current === started) current = undefined
    }
    const started = startContainer(endpoint, credential, context, forget)
    started.catch(forget)
    current = started
    return started
  }
  return {
    open: async (era, context, signal) => {
      if (closed) throw new GatewayError('BACKEND_UNREACHABLE', 'its container has been stopped')
      return openLeg(await container(context), era, context, signal)
    },
    close: async () => {
      closed = true
      const last = await current?.catch(() => undefined)
      if (last) await stop(last)
    },
  }
}

interface Container {
  readonly server: ServerProcess
  readonly connector: Connector
  /** Milliseconds since the epoch. */
  readonly started: number
  /** Attempts to reach it that are under way. */
  readonly opening: Set<Cancellation>
  readonly legs: Set<Leg>
  /** It has been reached once: from now on a failure is one, and not a slow start. */
  up: boolean
  /** Why it is gone, or going. */
  end: GatewayError | undefined
}

async function startContainer(
  endpoint: ContainerEndpoint,
  credential: Credential | undefined,
  context: LegContext,
  onExit: () => void,
): Promise<Container> {
  const port = await freePort()
  const server = await ServerProcess.start(command(endpoint, ['-p', `127.0.0.1:${port}:${endpoint.port}`]))
  const tell = (line: string): void => context.telemetry.emit('backend.stderr', { backend: context.backend, line })
  drain(server.stdout, tell)
  drain(server.stderr, tell)
  const container: Container = {
    server,
    connector: connectorTo(`http://127.0.0.1:${port}`, endpoint, credential),
    started: Date.now(),
    opening: new Set(),
    legs: new Set(),
    up: false,
    end: undefined,
  }
  server.exited
    .then((how) => {
      onExit()
      if (container.end) return
      const error = new GatewayError(
        'BACKEND_UNREACHABLE',
        `the container ${how} (the log of the gateway has its last words)`,
      )
      const stopped = stop(container, error)
      // Before that, the attempts under way tell it.
      if (container.up) context.onLost(error)
      return stopped
    })
    .catch(() => {})
  return container
}

function connectorTo(origin: string, endpoint: ContainerEndpoint, credential?: Credential): Connector {
  const { transport, headers = {} } = endpoint
  if (transport === 'sse') return sseConnector({ url: `${origin}/sse`, headers }, credential)
  return httpConnector({ kind: 'http', url: `${origin}/mcp`, headers }, credential)
}

/** Attempts under way fail with `why`; legs are closed before anybody is told, or they would pass for live ones. */
async function stop(
  container: Container,
  why = new GatewayError('BACKEND_UNREACHABLE', 'its container has been stopped'),
): Promise<void> {
  container.end ??= why
  for (const attempt of container.opening) attempt.cancel(why)
  await Promise.allSettled([...container.legs].map((leg) => leg.close()))
  await container.connector.close()
  await container.server.stop()
}

/** A container needs a while before its port answers; its exit and the caller's signal end the wait. */
async function openLeg(
  container: Container,
  era: Era | 'auto',
  context: LegContext,
  signal: Cancellation,
): Promise<Leg> {
  const attempt = new Cancellation()
  signal.onCancel((reason) => attempt.cancel(reason))
  if (container.end) attempt.cancel(container.end)
  container.opening.add(attempt)
  try {
    for (;;) {
      attempt.throwIfCancelled()
      try {
        const leg = await container.connector.open(era, context, attempt)
        if (attempt.cancelled) await leg.close()
        attempt.throwIfCancelled()
        keep(container, leg)
        return leg
      } catch (error) {
        attempt.throwIfCancelled()
        const late = container.up || Date.now() - container.started > START_LIMIT_MS
        if (late || !isStarting(error)) throw error
      }
      await pause(PORT_POLL_MS, attempt)
    }
  } finally {
    container.opening.delete(attempt)
  }
}

function keep(container: Container, leg: Leg): void {
  container.up = true
  for (const old of container.legs) if (old.closed) container.legs.delete(old)
  container.legs.add(leg)
}

/** A closed port, or a server that is not ready. One that refuses us has started. */
function isStarting(error: unknown): boolean {
  if (!(error instanceof GatewayError) || error.code !== 'BACKEND_UNREACHABLE') return false
  const refusal = error instanceof HttpRefusal ? error : error.cause
  return !(refusal instanceof HttpRefusal) || refusal.status >= 500
}

/** An unread pipe stops the engine when it is full, and a line without end must not be kept. */
function drain(stream: NodeJS.ReadableStream | null, tell: (line: string) => void): void {
  const lines = new TextLines(tell)
  stream?.on('data', (chunk: Buffer) => lines.push(chunk))
  stream?.on('close', () => lines.end())
  stream?.on('error', () => {})
}

/** Secrets go by name (`-e NAME`) and travel in the engine's environment: a command line is public on a machine. */
function command(endpoint: ContainerEndpoint, flags: readonly string[]): StdioEndpoint {
  const engine = findEngine()
  const env = Object.keys(endpoint.env).flatMap((name) => ['-e', name])
  const volumes = endpoint.volumes.flatMap(({ hostPath, mountPath, readOnly }) => [
    '-v',
    `${hostPath}:${mountPath}${readOnly ? ':ro' : ''}`,
  ])
  const docker = process.env['DOCKER_HOST']
  return {
    kind: 'stdio',
    command: engine,
    args: ['run', '--rm', ...flags, ...env, ...volumes, endpoint.image, ...endpoint.args],
    env: docker === undefined ? endpoint.env : { ...endpoint.env, DOCKER_HOST: new Secret(docker) },
  }
}

function findEngine(): string {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  for (const engine of ENGINES) {
    for (const folder of folders) {
      try {
        const path = join(folder, process.platform === 'win32' ? `${engine}.exe` : engine)
        accessSync(path, constants.X_OK)
        return path
      } catch {
        // Not here.
      }
    }
  }
  throw new GatewayError(
    'BACKEND_UNREACHABLE',
    'no container engine on this machine (install docker or podman, or give the backend a url or a command)',
  )
}

async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port')),
      )
    })
  })
}
