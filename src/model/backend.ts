import type { CredentialSpec } from './credential.ts'
import type { BackendId } from './ids.ts'
import type { JsonObject } from './json.ts'
import type { Secret } from './secret.ts'

/** The protocol's two eras: *legacy* up to 2025-11-25 (handshake, sessions), *modern* from 2026-07-28 (stateless). */
export type Era = 'legacy' | 'modern'

export interface HttpEndpoint {
  kind: 'http'
  url: string
  headers: Readonly<Record<string, Secret>>
}

/** HTTP+SSE of revision 2024-11-05. */
interface SseEndpoint {
  kind: 'sse'
  url: string
  headers: Readonly<Record<string, Secret>>
}

export interface StdioEndpoint {
  kind: 'stdio'
  command: string
  args: readonly string[]
  /** Added to the minimal environment that a process inherits. */
  env: Readonly<Record<string, Secret>>
  cwd?: string
}

/** A container image, run by `docker` or `podman` on this machine. */
export interface ContainerEndpoint {
  kind: 'container'
  image: string
  args: readonly string[]
  env: Readonly<Record<string, Secret>>
  /** How the server inside talks; `http` and `sse` listen on `port`. */
  transport: 'stdio' | 'http' | 'sse'
  port: number
  /** Sent with every request to a server that listens. */
  headers?: Readonly<Record<string, Secret>>
  volumes: readonly { hostPath: string; mountPath: string; readOnly: boolean }[]
}

export type Endpoint = HttpEndpoint | SseEndpoint | StdioEndpoint | ContainerEndpoint

/** What is wrong with one backend, and the way out. */
export interface BackendFault {
  message: string
  hint?: string
  /** For the log only, never for a client: what the backend wrote last. */
  detail?: string
}

/** One upstream MCP server as configured: references resolved, defaults applied. */
export interface BackendSpec {
  id: BackendId
  endpoint: Endpoint
  /** `auto` probes; the others skip the probe. */
  era: Era | 'auto'
  /** What it is shown besides fixed headers. */
  credential?: CredentialSpec
  /** The strategy behind what it is shown, by its name in the configuration. Absent: `unauthenticated`. */
  authType?: string
  /** Absent: perSession for stdio and for HTTP servers that keep sessions, else shared. */
  sharing?: 'perSession' | 'shared'
  /** Configured and switched off: never started, not missed by readiness. */
  disabled: boolean
  /** A fault known before the start (a variable that is not set): the backend is withheld and named, the rest runs. */
  fault?: BackendFault
  origin: 'static' | 'discovered'
}

export type Transport = Endpoint['kind']

/**
 * `connecting`: has not answered yet. `ready`: listed. `failing`: its entries have left the lists,
 * a new attempt runs at `until` (milliseconds since the epoch; absent: none, the fault needs a person).
 */
export type BackendState =
  | { kind: 'disabled' }
  | { kind: 'connecting' }
  /** `ms`: how long connecting and listing took. */
  | { kind: 'ready'; legs: { legacy?: string; modern?: string }; since: number; ms: number }
  | { kind: 'failing'; fault: BackendFault; until?: number }

/** `health` of `/status` (contract 3). */
export type Health = 'healthy' | 'degraded' | 'unhealthy' | 'unknown' | 'unauthenticated'

/** What one backend offers, definitions as received. */
export interface NativeLists {
  tools: readonly JsonObject[]
  prompts: readonly JsonObject[]
  resources: readonly JsonObject[]
  templates: readonly JsonObject[]
  instructions?: string
  /** Its extensions with their settings, as declared; the tasks extension only by modern servers, which have it. */
  extensions?: JsonObject
}
