import { isLoopbackUrl } from '../../../../model/loopback.ts'
import { learntReach, type Reach, WRITTEN } from '../../../net/reach.ts'

/** Which addresses may be dialled, and shown to a browser, on behalf of one backend. */
export interface Trust {
  /** Origins in the operator's own words. */
  readonly written: readonly string[]
  /** Of addresses that others named. */
  readonly learnt: Reach
}

/** `issuer`: as configured. */
export function trustOf(url: string, issuer: string | undefined, allowPrivate = false): Trust {
  const written = [url, issuer ?? url].flatMap((text) => URL.parse(text)?.origin ?? [])
  return { written, learnt: learntReach(url, allowPrivate) }
}

export function within({ written, learnt }: Trust, address: string): Reach {
  return written.includes(URL.parse(address)?.origin ?? '') ? WRITTEN : learnt
}

/** Https; plain http where that is allowed. Credentials in an address would be shown to others. */
export function mayUse(trust: Trust, url: URL): boolean {
  if (url.username !== '' || url.password !== '') return false
  if (url.protocol !== 'http:') return url.protocol === 'https:'
  const { allowHttp } = within(trust, url.href)
  return allowHttp === true || (allowHttp === 'loopback' && isLoopbackUrl(url.href))
}
