import { isLoopbackUrl } from '../model/loopback.ts'
import type { AuthoredStrategy } from './schema/auth.ts'

/** The keys under which strategies name where secrets go, by block. */
const ADDRESSES: Readonly<Partial<Record<keyof AuthoredStrategy, readonly string[]>>> = {
  clientCredentials: ['tokenUrl'],
  tokenExchange: ['tokenUrl'],
  xaa: ['idpTokenUrl', 'targetTokenUrl'],
  authorizationCode: ['issuer'],
}

/** Blocks that name where secrets go. */
export const ADDRESS_BLOCKS = Object.keys(ADDRESSES) as (keyof AuthoredStrategy)[]

/** Where a block of a strategy sends secrets, as it is written: keys and texts. */
export function secretAddresses(strategy: AuthoredStrategy, block: keyof AuthoredStrategy): [string, string][] {
  const values = strategy[block] as Readonly<Record<string, string | undefined>> | undefined
  return (ADDRESSES[block] ?? []).flatMap((key) => {
    const text = values?.[key]
    return text === undefined ? [] : [[key, text] as [string, string]]
  })
}

/** What is wrong with an address to which secrets go; `undefined`: nothing. References must have been replaced. */
export function tokenUrlFault(text: string): { message: string; hint: string } | undefined {
  const url = URL.parse(text)
  if (!url || !['http:', 'https:'].includes(url.protocol)) {
    return { message: 'the address is not a URL that begins with https://', hint: 'write https://HOST/PATH' }
  }
  if (url.username !== '' || url.password !== '') {
    return { message: 'credentials in a URL', hint: 'write them as clientId and clientSecretEnv' }
  }
  if (url.protocol === 'https:' || isLoopbackUrl(text)) return undefined
  return { message: `plain http would show secrets to the network: ${url.host}`, hint: 'use https' }
}
