import { isLoopbackUrl } from '../model/loopback.ts'

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
