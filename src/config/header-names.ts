const names = (text: string): ReadonlySet<string> => new Set(text.split(' '))

/** What the protocol, the connection (RFC 9110 section 7.6.1) and the form of the body decide: nobody else may. */
const PROTOCOL = names(
  'host connection keep-alive proxy-authenticate proxy-connection te trailer transfer-encoding upgrade expect ' +
    'content-length content-type content-encoding accept accept-encoding last-event-id',
)
/** What says who the caller is, or where: a backend hears it from the operator, never from the client. */
const IDENTITY = names('authorization cookie proxy-authorization forwarded x-real-ip')

/** Whether the gateway itself writes this header to backends. */
export function isProtocolHeader(header: string): boolean {
  const name = header.toLowerCase()
  return PROTOCOL.has(name) || name.startsWith('mcp-')
}

/** Whether this header of a client must not reach backends. */
export function isNeverPassed(header: string): boolean {
  const name = header.toLowerCase()
  return isProtocolHeader(name) || IDENTITY.has(name) || name.startsWith('x-forwarded-')
}

/** The fault of a fixed header that is the gateway's own. */
export const protocolHeader = (header: string): string =>
  `the header "${header}" belongs to the protocol: the gateway writes it itself`
export const HEADER_HINT = 'leave it out'
