const JSON_RANGE = /(?<![\w.+-])(?:application\/(?:json(?![\w.+-])|\*)|\*\/\*)/i
const EVENTS_RANGE = /(?<![\w.+-])(?:text\/(?:event-stream(?![\w.+-])|\*)|\*\/\*)/i
/** A weight of nought (RFC 9110, 12.4.2). */
const REFUSED = /;\s*q=0(?:\.0*)?\s*(?:;|$)/i

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
  const ranges = accept.toLowerCase().split(',')
  const offered = ranges.filter((range) => !REFUSED.test(range)).join()
  const refused = ranges.filter((range) => REFUSED.test(range)).join()
  const accepted = {
    json: JSON_RANGE.test(offered) && !refused.includes('application/json'),
    events: EVENTS_RANGE.test(offered) && !refused.includes('text/event-stream'),
  }
  latest = { accept, accepted }
  return accepted
}
