import type { Identity, ModernHop } from '../protocol/translate.ts'
import { DEFAULT_LOG_LEVEL } from '../protocol/log-level.ts'
import type { UpstreamRequest } from './leg.ts'

/** The envelope of a request to a modern backend: what this caller can do and wants to hear, said by the gateway. */
export function hopOf(
  { caller, progress, onNotification }: UpstreamRequest,
  identity: Identity,
  id: number,
): ModernHop {
  // A legacy client takes log lines without having asked for them.
  const byDefault = caller.era === 'legacy' && onNotification ? DEFAULT_LOG_LEVEL : undefined
  return {
    identity,
    capabilities: caller.profile.modern,
    client: caller.clientInfo,
    logLevel: caller.logLevel ?? byDefault,
    progressToken: progress ? id : undefined,
  }
}

/** The envelope of a request of the gateway's own. */
export function ownHop(identity: Identity): ModernHop {
  return { identity, capabilities: {} }
}
