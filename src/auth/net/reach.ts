import { classifyAddress } from './addresses.ts'
import type { GuardedOptions } from './guarded-fetch.ts'

/** Which addresses may be dialled. */
export type Reach = Required<Pick<GuardedOptions, 'allowHttp' | 'allowPrivate'>>

/** What the operator wrote may lead anywhere, encrypted beyond this machine. */
export const WRITTEN: Reach = { allowHttp: 'loopback', allowPrivate: true }

const PUBLIC: Reach = { allowHttp: false, allowPrivate: false }
const LOCAL: Reach = { allowHttp: 'loopback', allowPrivate: 'loopback' }

/**
 * What was learnt from a backend, or from a document that it named, must be public; on this machine too when the backend
 * itself runs here. `allowPrivate`: the operator trusts the backend with the private network.
 */
export function learntReach(backendUrl: string, allowPrivate = false): Reach {
  const local = isLoopback(backendUrl)
  if (!allowPrivate) return local ? LOCAL : PUBLIC
  return { allowHttp: local ? 'loopback' : false, allowPrivate: true }
}

/** Whether a URL names this machine, by address or as `localhost`. */
export function isLoopback(url: string): boolean {
  const host = URL.parse(url)?.hostname ?? ''
  return (
    host === 'localhost' || host.endsWith('.localhost') || classifyAddress(host.replace(/^\[|\]$/gu, '')) === 'loopback'
  )
}
