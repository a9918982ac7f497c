const JSON_RANGE = /(?<![\w.+-])(?:application\/(?:json(?![\w.+-])|\*)|\*\/\*)/i
const EVENTS_RANGE = /(?<![\w.+-])(?:text\/(?:event-stream(?![\w.+-])|\*)|\*\/\*)/i

export interface Accepted {
  /** `application/json` */
  json: boolean
  /** `text/event-stream` */
  events: boolean
}

/** Clients send one and the same header with every request. */
let latest: { accept: string; accepted: Accepted } | undefined

/** What an `Accept` header admits. Absent, it admits everything (RFC 9110, 12.5.1). */
export function acceptedTypes(accept: string | undefined): Accepted {
  if (accept === undefined) return { json: true, events: true }
  if (latest?.accept === accept) return latest.accepted
  const accepted = { json: JSON_RANGE.test(accept), events: EVENTS_RANGE.test(accept) }
  latest = { accept, accepted }
  return accepted
}
