import type { Issuer } from './issuer.ts'

/** Settings that rooms receive as slices. Produced by `config`, read everywhere; all times in milliseconds. */

export interface ToolOverride {
  name?: string
  description?: string
  annotations?: Readonly<Record<string, string | boolean>>
}

export interface ToolSettings {
  /** Allow-list of names after overrides, before prefixes. Absent: all. */
  filter?: readonly string[]
  /** By native name. */
  overrides: Readonly<Record<string, ToolOverride>>
  excludeAll: boolean
}

export interface AggregationSettings {
  strategy: 'prefix' | 'priority' | 'manual'
  /** `{workload}` stands for the backend's name. */
  prefixFormat: string
  /** False: a single configured backend is not prefixed. */
  prefixExplicit: boolean
  /** Prefix only names that clash. */
  onlyOnConflict: boolean
  priorityOrder: readonly string[]
  /** Backends of which extensions other than the protocol's own are offered. */
  vendors: ReadonlySet<string>
  excludeAllTools: boolean
  defaultToolVisibility: 'allow' | 'deny'
  /** By backend. */
  tools: ReadonlyMap<string, ToolSettings>
}

export interface TimeoutSettings {
  defaultMs: number
  /** By backend. */
  perWorkload: ReadonlyMap<string, number>
  /** By shown name. */
  perTool: ReadonlyMap<string, number>
  /** Hard cap on one call, whatever signs of life the backend gives. */
  maxMs: number
}

export interface FailureSettings {
  partialFailureMode: 'fail' | 'best_effort'
  healthCheckIntervalMs: number
  healthCheckTimeoutMs: number
  unhealthyThreshold: number
  circuitBreaker: { enabled: boolean; failureThreshold: number; timeoutMs: number }
}

export interface DoorSettings {
  allowedHosts: readonly string[]
  allowedOrigins: readonly string[]
  /** Largest request body, bytes. */
  maxRequestBytes: number
  /** Requests and streams of one user that are open at once. */
  maxOpenPerUser: number
  maxConnections: number
  /** Largest single message that must be buffered, bytes (cross-era results, one SSE event, one stdio line). */
  maxMessageBytes: number
}

/** A bucket of calls: so many at once; an empty one fills up, evenly, in `refillMs`. */
export interface BucketSettings {
  maxTokens: number
  refillMs: number
}

export interface RateLimitSettings {
  /** One bucket for all callers. */
  shared?: BucketSettings
  /** One for each principal. */
  perUser?: BucketSettings
  /** By shown name. */
  tools: ReadonlyMap<string, Pick<RateLimitSettings, 'shared' | 'perUser'>>
}

/** Who may connect. */
export interface IncomingAuth {
  type: 'anonymous' | 'local' | 'oidc'
  /** The file says so itself, which opens listeners beyond loopback to anonymous callers. */
  explicit: boolean
  /** The catalogue is shown to clients without a token. */
  publicDiscovery: boolean
  /** `tokenFile`: absolute path of the file with the token that clients must show. */
  local?: { tokenFile?: string }
  /** With type `oidc` at least one, otherwise none. */
  issuers: readonly Issuer[]
  authz?: AuthzSettings
}

/** What a known client may see and do, as texts that are not read yet. */
export interface AuthzSettings {
  type: 'cedar' | 'none'
  policies: readonly string[]
  /** They decide nothing. */
  trialPolicies?: readonly string[]
  /** A JSON list of entities. */
  entitiesJson?: string
  groupClaimName?: string
  roleClaimName?: string
  groupEntityType?: string
}

/** Where the tokens of users who signed in are kept. `path`: absolute; absent: in the state folder. */
export interface TokenStore {
  provider: 'memory' | 'file'
  path?: string
}

/** Composite tools: how large they may be, and where their runs lie. */
export interface WorkflowSettings {
  limits: WorkflowLimits
  /** `path`: absolute folder; absent: in the state folder. */
  storage: { provider: 'memory' | 'file'; path?: string }
  /** How long a question waits for a modern client, which comes back with the answer. */
  questionMs: number
  /** How long a question waits for a legacy client, whose request stays open. */
  askMs: number
  /** How long after the end of a run its values are kept. */
  valuesMs: number
  /** How long after its end a run is listed. */
  historyMs: number
}

export interface WorkflowLimits {
  steps: number
  /** Steps, or iterations of a loop, at once. */
  parallel: number
  iterations: number
  /** Workflows within workflows, the outermost counted. */
  depth: number
  /** Longest time of a run that says nothing else. */
  runMs: number
  /** Longest time of a step that says nothing else. */
  stepMs: number
}

export const DEFAULT_WORKFLOW_LIMITS: WorkflowLimits = {
  steps: 100,
  parallel: 10,
  iterations: 1000,
  depth: 5,
  runMs: 30 * 60_000,
  stepMs: 5 * 60_000,
}

export interface SealingKey {
  id: string
  /** 32 bytes. */
  key: Buffer
}
