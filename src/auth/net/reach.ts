import { isLoopbackUrl } from '../../model/loopback.ts'
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
  const local = isLoopbackUrl(backendUrl)
  if (!allowPrivate) return local ? LOCAL : PUBLIC
  return { allowHttp: local ? 'loopback' : false, allowPrivate: true }
}
