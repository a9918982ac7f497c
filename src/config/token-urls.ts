/** Whether a URL names this machine. */
function isLoopback(url: URL): boolean {
  const { hostname } = url
  return (
    hostname === 'localhost' || hostname.endsWith('.localhost') || hostname === '[::1]' || hostname.startsWith('127.')
  )
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
  if (url.protocol === 'https:' || isLoopback(url)) return undefined
  return { message: `plain http would show secrets to the network: ${url.host}`, hint: 'use https' }
}
