const JSON_RANGE = /(?<![\w.+-])(?:application\/(?:json(?![\w.+-])|\*)|\*\/\*)/i
const EVENTS_RANGE = /(?<![\w.+-])(?:text\/(?:event-stream(?![\w.+-])|\*)|\*\/\*)/i

/** Whether an `Accept` header admits `application/json`. Absent, it admits everything (RFC 9110, 12.5.1). */
export function takesJson(accept: string | undefined): boolean {
  return accept === undefined || JSON_RANGE.test(accept)
}

/** Whether an `Accept` header admits `text/event-stream`. */
export function takesEvents(accept: string | undefined): boolean {
  return accept === undefined || EVENTS_RANGE.test(accept)
}
