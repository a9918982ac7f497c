const MAX_ID_LENGTH = 8192
/** What a header value may not hold. */
const UNSENDABLE = /[^\t\u0020-\u007E\u0080-\u00FF]/

/** The value of a `Last-Event-ID` header; `undefined`: the stream cannot be resumed there. */
export function positionHeader(lastEventId: string | undefined): string | undefined {
  if (lastEventId === undefined || lastEventId.length > MAX_ID_LENGTH) return undefined
  const bytes = Buffer.from(lastEventId, 'utf8').toString('latin1')
  return UNSENDABLE.test(bytes) ? undefined : bytes
}
