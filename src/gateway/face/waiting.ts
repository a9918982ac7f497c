/**
 * Bytes that may wait for one client on one way (a stream, a pipe). It reads too slowly or not at all: what it can do
 * without is dropped beyond that, and a stream that would miss something else ends.
 */
export const MAX_WAITING = 1024 * 1024
