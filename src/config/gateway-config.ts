import type { BackendSpec } from '../model/backend.ts'
import type { BackendId } from '../model/ids.ts'
import { backendId } from '../model/ids.ts'
import type {
  AggregationSettings,
  DoorSettings,
  FailureSettings,
  IncomingAuth,
  RateLimitSettings,
  SealingKey,
  TimeoutSettings,
  TokenStore,
  WorkflowSettings,
  ToolOverride,
  ToolSettings,
} from '../model/settings.ts'
import { DEFAULT_WORKFLOW_LIMITS } from '../model/settings.ts'
import { besideFile } from './beside-file.ts'
import { parseBytes } from './bytes.ts'
import { DEFAULT_HEALTH_INTERVAL_MS } from './check.ts'
import { parseDuration } from '../model/duration.ts'
import { defined } from './defined.ts'
import { deepFreeze } from './freeze.ts'
import { laterSections } from './later.ts'
import type { LocatedMap } from './positions.ts'
import type { AuthoredConfig } from './schema.ts'
import type { AuthoredCompositeTool } from './schema/composite.ts'

/** A configuration that was checked: references resolved, defaults applied, frozen. */
export interface GatewayConfig {
  readonly name: string
  readonly groupRef?: string
  /** `dynamic`: the backends are discovered in a cluster. */
  readonly mode: 'static' | 'dynamic'
  readonly backends: readonly BackendSpec[]
  readonly aggregation: AggregationSettings
  /** Methods outside the protocol that clients may call, and the backend of each. */
  readonly vendorMethods: ReadonlyMap<string, BackendId>
  readonly timeouts: TimeoutSettings
  readonly failure: FailureSettings
  readonly door: DoorSettings
  readonly limits: RateLimitSettings
  /** Lower case. */
  readonly passthroughHeaders: readonly string[]
  /** The first seals, all open. Empty: none are configured. */
  readonly sealingKeys: readonly SealingKey[]
  readonly publicUrl?: string
  /** Absolute paths of PEM files. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string }
  /** Upstream sessions of `perSession` backends. */
  readonly sessions: { readonly maxPerBackend: number; readonly idleMs: number }
  readonly logLevel?: 'error' | 'warn' | 'info' | 'debug'
  /** Who may connect. */
  readonly incomingAuth: IncomingAuth
  /** Of users who signed in. */
  readonly tokenStore: TokenStore
  /** Inline definitions, then those that `compositeToolRefs` names. */
  readonly compositeTools: readonly AuthoredCompositeTool[]
  readonly compositeToolRefs: readonly string[]
  /** What holds for all of them. */
  readonly workflows: WorkflowSettings
  /** Sections in use whose features the gateway does not have yet. */
  readonly laterSections: readonly string[]
}

/** Parts that draw on the world outside the file. */
export interface Resolved {
  backends: readonly BackendSpec[]
  sealingKeys: readonly SealingKey[]
  incomingAuth: IncomingAuth
  publicUrl: string | undefined
  /** Folder at which relative file names begin. */
  cwd: string
}

/** Applies the defaults of contract section 4 to a checked configuration. */
export function gatewayConfig(root: LocatedMap, config: AuthoredConfig, resolved: Resolved): GatewayConfig {
  const { groupRef, operational } = config
  const { publicUrl } = resolved
  return deepFreeze<GatewayConfig>({
    name: config.name ?? 'vmcp',
    ...(groupRef === undefined ? {} : { groupRef: typeof groupRef === 'string' ? groupRef : groupRef.name }),
    // A group without backends: its members are known only inside a cluster.
    mode: config.backends === undefined && groupRef !== undefined ? 'dynamic' : 'static',
    backends: resolved.backends,
    aggregation: aggregationSettings(config),
    vendorMethods: vendorMethods(config),
    timeouts: timeoutSettings(config),
    failure: failureSettings(config),
    door: doorSettings(config),
    limits: limitSettings(config),
    passthroughHeaders: (config.passthroughHeaders ?? []).map((name) => name.toLowerCase()),
    sealingKeys: resolved.sealingKeys,
    ...(publicUrl === undefined ? {} : { publicUrl }),
    ...(config.tls === undefined ? {} : { tls: tlsFiles(root, config.tls, resolved.cwd) }),
    sessions: {
      maxPerBackend: operational?.sessions?.maxPerBackend ?? 100,
      idleMs: milliseconds(operational?.sessions?.idleTimeout, 300_000),
    },
    ...(operational?.logLevel === undefined ? {} : { logLevel: operational.logLevel }),
    incomingAuth: resolved.incomingAuth,
    tokenStore: tokenStore(root, config, resolved.cwd),
    compositeTools: config.compositeTools ?? [],
    compositeToolRefs: (config.compositeToolRefs ?? []).map((ref) => (typeof ref === 'string' ? ref : ref.name)),
    workflows: workflowSettings(root, config, resolved.cwd),
    laterSections: laterSections(config),
  })
}

const milliseconds = (text: string | undefined, fallback: number): number => parseDuration(text ?? '') ?? fallback

const MI = 2 ** 20
const DAY_MS = 86_400_000

function tokenStore(root: LocatedMap, { outgoingAuth }: AuthoredConfig, cwd: string): TokenStore {
  const { provider = 'file', path } = outgoingAuth?.store ?? {}
  return { provider, ...(path !== undefined && { path: besideFile(root, ['outgoingAuth', 'store'], path, cwd) }) }
}

function workflowSettings(root: LocatedMap, config: AuthoredConfig, cwd: string): WorkflowSettings {
  const { workflowLimits: given = {}, workflowStorage: storage } = config
  const { runTimeout, stepTimeout, questionTimeout, askTimeout, ...sizes } = given
  const limits = { ...DEFAULT_WORKFLOW_LIMITS, ...defined(sizes) }
  const path = storage?.path && besideFile(root, ['workflowStorage'], storage.path, cwd)
  return {
    limits: {
      ...limits,
      runMs: milliseconds(runTimeout, limits.runMs),
      stepMs: milliseconds(stepTimeout, limits.stepMs),
    },
    storage: { provider: storage?.provider === 'file' ? 'file' : 'memory', ...(path !== undefined && { path }) },
    questionMs: milliseconds(questionTimeout, DAY_MS),
    askMs: milliseconds(askTimeout, 300_000),
    valuesMs: milliseconds(storage?.keepValues, DAY_MS),
    historyMs: milliseconds(storage?.keepRuns, 7 * DAY_MS),
  }
}

function vendorMethods({ backends = [] }: AuthoredConfig): ReadonlyMap<string, BackendId> {
  const owned = backends.flatMap(({ name, methods = [] }) =>
    methods.map((method) => [method, backendId(name)] as const),
  )
  return new Map(owned)
}

function aggregationSettings({ aggregation = {}, backends = [] }: AuthoredConfig): AggregationSettings {
  const { conflictResolutionConfig: settings } = aggregation
  return {
    strategy: aggregation.conflictResolution ?? 'prefix',
    prefixFormat: settings?.prefixFormat ?? '{workload}_',
    prefixExplicit: settings?.prefixFormat !== undefined,
    onlyOnConflict: aggregation.onlyOnConflict ?? false,
    priorityOrder: settings?.priorityOrder ?? [],
    vendors: new Set(backends.filter(({ methods }) => methods).map(({ name }) => name)),
    excludeAllTools: aggregation.excludeAllTools ?? false,
    defaultToolVisibility: aggregation.defaultToolVisibility ?? 'allow',
    tools: new Map((aggregation.tools ?? []).map((entry) => [entry.workload, toolSettings(entry)])),
  }
}

type AuthoredTools = NonNullable<NonNullable<AuthoredConfig['aggregation']>['tools']>[number]

function toolSettings(entry: AuthoredTools): ToolSettings {
  // Without a prototype: a tool may be called "constructor".
  const overrides: Record<string, ToolOverride> = Object.create(null)
  for (const [tool, { name, description, annotations }] of Object.entries(entry.overrides ?? {})) {
    const hints = Object.entries(annotations ?? {}).filter(
      (hint): hint is [string, string | boolean] => hint[1] !== undefined,
    )
    overrides[tool] = {
      ...(name === undefined ? {} : { name }),
      ...(description === undefined ? {} : { description }),
      ...(annotations === undefined ? {} : { annotations: Object.fromEntries(hints) }),
    }
  }
  // An empty list filters nothing, as in ToolHive.
  const filter = entry.filter?.length ? { filter: entry.filter } : {}
  return { ...filter, overrides, excludeAll: entry.excludeAll ?? false }
}

function timeoutSettings({ operational }: AuthoredConfig): TimeoutSettings {
  const timeouts = operational?.timeouts
  const byName = (texts: Record<string, string> = {}) =>
    new Map(Object.entries(texts).map(([name, text]) => [name, milliseconds(text, 0)]))
  return {
    defaultMs: milliseconds(timeouts?.default, 30_000),
    perWorkload: byName(timeouts?.perWorkload),
    perTool: byName(timeouts?.perTool),
    maxMs: milliseconds(timeouts?.max, 1_800_000),
  }
}

function failureSettings({ operational }: AuthoredConfig): FailureSettings {
  const handling = operational?.failureHandling
  const breaker = handling?.circuitBreaker
  const interval = milliseconds(handling?.healthCheckInterval, DEFAULT_HEALTH_INTERVAL_MS)
  const timeout = milliseconds(handling?.healthCheckTimeout, 0)
  return {
    partialFailureMode: handling?.partialFailureMode ?? 'best_effort',
    healthCheckIntervalMs: interval,
    healthCheckTimeoutMs: timeout > 0 ? timeout : Math.min(10_000, interval / 2),
    unhealthyThreshold: handling?.unhealthyThreshold ?? 3,
    circuitBreaker: {
      enabled: breaker?.enabled ?? true,
      failureThreshold: breaker?.failureThreshold ?? 5,
      timeoutMs: milliseconds(breaker?.timeout, 60_000),
    },
  }
}

type AuthoredLimits = NonNullable<AuthoredConfig['rateLimiting']>

function limitSettings({ rateLimiting = {} }: AuthoredConfig): RateLimitSettings {
  const buckets = ({ shared, perUser }: Pick<AuthoredLimits, 'shared' | 'perUser'>) => ({
    ...(shared && { shared: bucket(shared) }),
    ...(perUser && { perUser: bucket(perUser) }),
  })
  const tools = (rateLimiting.tools ?? []).map((tool) => [tool.name, buckets(tool)] as const)
  return { ...buckets(rateLimiting), tools: new Map(tools) }
}

const bucket = ({ maxTokens, refillPeriod }: NonNullable<AuthoredLimits['shared']>) => ({
  maxTokens,
  refillMs: milliseconds(refillPeriod, 0),
})

function doorSettings(config: AuthoredConfig): DoorSettings {
  return {
    allowedHosts: config.allowedHosts ?? [],
    allowedOrigins: config.allowedOrigins ?? [],
    maxRequestBytes: parseBytes(config.maxRequestBytes ?? 8 * MI) ?? 8 * MI,
    maxMessageBytes: parseBytes(config.maxMessageBytes ?? 64 * MI) ?? 64 * MI,
    maxOpenPerUser: config.rateLimiting?.connections?.perUser ?? 256,
    maxConnections: config.rateLimiting?.connections?.total ?? 20_000,
  }
}

function tlsFiles(root: LocatedMap, tls: { certFile: string; keyFile: string }, cwd: string) {
  const absolute = (file: string): string => besideFile(root, ['tls'], file, cwd)
  return { certFile: absolute(tls.certFile), keyFile: absolute(tls.keyFile) }
}
