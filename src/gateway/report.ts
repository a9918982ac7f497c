import type { JsonObject } from '../model/json.ts'
import type { Gateway } from './gateway.ts'

/** Readiness does not wait longer for backends that neither answer nor fail. */
const READY_WITHIN_MS = 10_000

export interface Readiness {
  ready: boolean
  mode: 'static' | 'dynamic'
  reason: string
}

/** `/readyz`: every backend has answered or failed once; with `partialFailureMode: fail` none is missing. */
export function readiness(gateway: Gateway): Readiness {
  const { config, backends, keeper } = gateway.current
  const { mode } = config
  const waiting = keeper.pending > 0 && Date.now() - gateway.startedAt < READY_WITHIN_MS
  if (waiting) return { ready: false, mode, reason: 'backends_pending' }
  if (config.failure.partialFailureMode === 'fail') {
    const missing = backends.filter(({ spec, reachable }) => !spec.disabled && !reachable).map(({ spec }) => spec.id)
    if (missing.length > 0) return { ready: false, mode, reason: `backends_missing: ${missing.join(', ')}` }
    const withheld = keeper.catalogue.conflicts.filter((conflict) => conflict.withheld).map(({ name }) => name)
    if (withheld.length > 0) return { ready: false, mode, reason: `conflicts_unresolved: ${withheld.join(', ')}` }
  }
  return { ready: true, mode, reason: '' }
}

/** `/status`: no addresses, no secrets. */
export function status(gateway: Gateway): JsonObject {
  const { config, backends } = gateway.current
  const live = backends.filter(({ spec }) => !spec.disabled)
  return {
    version: gateway.identity.version,
    group_ref: config.groupRef ?? '',
    healthy: live.every(({ health }) => health === 'healthy'),
    backends: live.map((backend) => ({
      name: backend.spec.id,
      health: backend.health,
      transport: TRANSPORTS[backend.spec.endpoint.kind],
      auth_type: backend.spec.authType ?? 'unauthenticated',
      mcp_revision: backend.revision ?? '',
    })),
  }
}

const TRANSPORTS = { http: 'streamable-http', sse: 'sse', stdio: 'stdio', container: 'container' } as const
