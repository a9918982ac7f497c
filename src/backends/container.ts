import { accessSync, constants } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import type { ContainerEndpoint, StdioEndpoint } from '../model/backend.ts'
import type { Cancellation } from '../model/cancellation.ts'
import { GatewayError } from '../model/errors.ts'
import { Secret } from '../model/secret.ts'
import { httpConnector } from './http/connector.ts'
import type { Connector, Leg } from './leg.ts'
import { ServerProcess } from './stdio/process.ts'
import { StdioLeg } from './stdio/leg.ts'

const ENGINES = ['docker', 'podman']
const PORT_POLL_MS = 250

/** Runs an image with the engine of this machine; a server that listens is reached through a loopback port. */
export function containerConnector(endpoint: ContainerEndpoint): Connector {
  return endpoint.transport === 'stdio' ? stdioContainer(endpoint) : listeningContainer(endpoint)
}

function stdioContainer(endpoint: ContainerEndpoint): Connector {
  return {
    open: async (era, context, signal) => StdioLeg.open(command(endpoint, ['-i']), era, context, signal),
    close: async () => {},
  }
}

function listeningContainer(endpoint: ContainerEndpoint): Connector {
  let running: { server: ServerProcess; connector: Connector } | undefined
  const start = async (): Promise<Connector> => {
    if (endpoint.transport === 'sse') {
      throw new GatewayError('BACKEND_UNREACHABLE', 'a container that speaks HTTP+SSE is not carried by this version')
    }
    const port = await freePort()
    const server = await ServerProcess.start(command(endpoint, ['-p', `127.0.0.1:${port}:${endpoint.port}`]))
    const connector = httpConnector({ kind: 'http', url: `http://127.0.0.1:${port}/mcp`, headers: {} })
    running = { server, connector }
    server.exited.then(
      () => {
        running = undefined
      },
      () => {},
    )
    return connector
  }
  return {
    open: async (era, context, signal) => {
      const connector = running?.connector ?? (await start())
      return whenUp(() => connector.open(era, context, signal), signal)
    },
    close: async () => {
      await running?.connector.close()
      await running?.server.stop()
    },
  }
}

/** A container needs a while before its port answers; the caller's signal bounds the wait. */
async function whenUp(open: () => Promise<Leg>, signal: Cancellation): Promise<Leg> {
  for (;;) {
    try {
      return await open()
    } catch (error) {
      signal.throwIfCancelled()
      if (!(error instanceof GatewayError) || error.code !== 'BACKEND_UNREACHABLE') throw error
      await new Promise((resolve) => setTimeout(resolve, PORT_POLL_MS))
      signal.throwIfCancelled()
    }
  }
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
