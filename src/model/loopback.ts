/** 127.0.0.0/8; nothing that merely starts like it. */
const IPV4 = /^127(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}$/u
/** The same inside IPv6, as URLs write it; sockets write `::ffff:127.0.0.1`. */
const MAPPED = /^::ffff:7f[\da-f]{2}:[\da-f]{1,4}$/u

/** Whether an address of a socket is one of this machine: 127.0.0.0/8, also inside IPv6, and ::1. */
export function isLoopbackAddress(address: string): boolean {
  const lower = address.toLowerCase()
  return lower === '::1' || IPV4.test(lower.replace(/^::ffff:/u, '')) || MAPPED.test(lower)
}

/**
 * `localhost`, 127.0.0.0/8 and ::1, that with or without brackets. For names that others give us (Host, Origin): of an
 * address only the spelling that clients of this machine use.
 */
export function isLoopbackName(name: string): boolean {
  const lower = name.toLowerCase()
  return lower === 'localhost' || lower === '::1' || lower === '[::1]' || IPV4.test(lower)
}

/** Whether a URL names this machine, by address or as `localhost` or below it (RFC 6761 section 6.3). */
export function isLoopbackUrl(url: string): boolean {
  const host = URL.parse(url)?.hostname ?? ''
  return host.endsWith('.localhost') || isLoopbackName(host) || isLoopbackAddress(host.replace(/^\[|\]$/gu, ''))
}
