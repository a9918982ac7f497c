import { elsewhere, type Requirement } from './row.ts'

const row = (id: string, text: string, file: string, test: RegExp) => elsewhere(`wire.${id}`, text, file, test)

/** What belongs to one leg only (reference 2.1 and 2.2). */
export const TRANSPORTS: readonly Requirement[] = [
  row('resume', 'the stream of a legacy client is resumed, every message once', 'resume', /^goes on over the one/),
  row('streams', 'a message of the session is on one GET stream, the newest', 'resume', /^the newest that is open/),
  row('locked-out', 'a client that lost its GET streams can always open another', 'resume', /never locked out$/),
  row('slow-legacy', 'a legacy client that does not read slows the backend', 'back-pressure', /to a legacy client,/),
  row('slow-modern', 'so does a modern one', 'back-pressure', /to a modern client,/),
  row('slow-sse', 'and one over HTTP+SSE', 'back-pressure', /HTTP\+SSE$/),
  row('slow-stdio', 'and one over stdio', 'back-pressure', /^standard output/),
  row(
    'slow-shared',
    'where calls share a way it loses progress, and stops nobody',
    'back-pressure',
    /^where calls share/,
  ),
  row(
    'stdio-cancel',
    'cancellation over stdio reaches the backend, and no other call',
    'stdio-door',
    /^a cancellation/,
  ),
  row('stdio-clean', 'standard output carries the protocol only', 'stdio-door', /^standard output carries/),
  row('upstream-resume', 'a stream upstream that breaks is resumed', 'resumption', /^a cut connection is taken up/),
  row(
    'upstream-retry',
    'a server that closes a stream is polled after its retry',
    'resumption',
    /after the time it names$/,
  ),
  row('upstream-batch', 'a batch of a server is taken apart', 'resumption', /^batches of a server/),
]
