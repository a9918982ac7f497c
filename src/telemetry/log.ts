import type { EventName, Events, Listener } from './events.ts'

export type LogLevel = 'error' | 'warn' | 'info' | 'debug'
export type LogFormat = 'text' | 'json'

const ORDER: readonly LogLevel[] = ['error', 'warn', 'info', 'debug']

interface Sentence<Name extends EventName> {
  level: LogLevel
  say: (data: Events[Name]) => string
}

function signInText(note: Events['sign-in']): string {
  switch (note.kind) {
    case 'sign-in-needed':
      return 'sign-in needed'
    case 'sign-in-failing':
      return `sign-in failing: ${note.why}`
    case 'sign-in-ended':
      return `sign-in ${note.outcome}${note.why === undefined ? '' : `: ${note.why}`}`
    case 'revocation-failed':
      return `the tokens are forgotten but may still be good: ${note.why}`
  }
}

const of = (by: string | undefined): string => (by === undefined ? '' : ` (of ${by})`)

/** Every sentence of the log, with its level. */
const SENTENCES: { [Name in EventName]: Sentence<Name> } = {
  'gateway.listening': { level: 'info', say: ({ url }) => `listening at ${url}` },
  'gateway.stopping': { level: 'info', say: ({ reason }) => `stopping: ${reason}` },
  'gateway.exposed': {
    level: 'warn',
    say: ({ host }) => `listening on ${host} without authentication, as incomingAuth.type: anonymous says`,
  },
  'gateway.unsealed': { level: 'info', say: () => UNSEALED },
  'backend.ready': {
    level: 'info',
    say: (b) =>
      `${b.backend}: ready over ${b.transport}, ${b.revision}, ` +
      `${b.tools} tools, ${b.resources} resources, ${b.prompts} prompts, ${Math.round(b.ms)} ms`,
  },
  'backend.personal': {
    level: 'info',
    say: ({ backend, transport, page, ms }) =>
      `${backend}: ready over ${transport} for those who sign in, ${Math.round(ms)} ms` +
      (page === undefined ? '' : `; sign in with "vmcp auth login ${backend}"`),
  },
  'sign-in': {
    level: 'info',
    say: (s) => `${s.backend}: ${signInText(s)} (${s.subject})`,
  },
  'token-store.failing': {
    level: 'warn',
    say: ({ why, file, remedy }) =>
      `${file}: ${why}; until that is over nobody is signed in to the backends that ask for it: ${remedy}`,
  },
  'backend.failing': {
    level: 'warn',
    say: ({ backend, fault, retryInMs }) =>
      `${backend}: ${withHint(fault.message, fault.hint)}` +
      (fault.detail === undefined ? '' : `; it wrote: ${fault.detail}`) +
      (retryInMs === undefined ? '' : `; next attempt in ${Math.round(retryInMs / 100) / 10} s`),
  },
  'backend.stderr': { level: 'info', say: ({ backend, line }) => `${backend} | ${line}` },
  'backend.noise': {
    level: 'debug',
    say: ({ backend, line }) => `${backend}: not JSON on its standard output, skipped: ${line}`,
  },
  'backend.note': { level: 'warn', say: ({ backend, message }) => `${backend}: ${message}` },
  'catalogue.changed': {
    level: 'info',
    say: (c) =>
      `catalogue ${c.version}: ${c.tools} tools, ${c.resources} resources, ${c.prompts} prompts, about ${c.tokens} tokens`,
  },
  'catalogue.note': { level: 'warn', say: ({ message }) => message },
  'workflow.withdrawn': {
    level: 'warn',
    say: ({ workflow, why, hint }) => `composite tool "${workflow}" is withdrawn: ${withHint(why, hint)}`,
  },
  'workflow.waiting': { level: 'warn', say: ({ workflow, why }) => `composite tool "${workflow}" waits: ${why}` },
  'workflow.ready': { level: 'info', say: ({ workflow }) => `composite tool "${workflow}" can be called again` },
  'workflow-store.failing': { level: 'warn', say: ({ why }) => `runs of composite tools cannot be kept: ${why}` },
  'workflow-store.stays': {
    level: 'warn',
    say: ({ place, wanted }) =>
      `runs of composite tools stay in ${place} until the gateway is started anew; the configuration now says ${wanted}`,
  },
  'definition.withheld': {
    level: 'warn',
    say: ({ why, ...one }) =>
      `${definition(one)} withheld: ${why === 'new' ? 'not in the lock' : 'not what the lock says'} ` +
      '(vmcp lock --check shows it, vmcp lock approves it)',
  },
  'definition.restored': { level: 'info', say: (one) => `${definition(one)} shown again: as the lock says` },
  'definition.suspicious': {
    level: 'warn',
    say: ({ rule, where, excerpt, ...one }) => `${definition(one)} suspicious (${rule}, ${where}): ${excerpt}`,
  },
  'session.opened': { level: 'debug', say: ({ client, revision }) => `session opened by ${client} (${revision})` },
  'session.closed': { level: 'debug', say: ({ why }) => `session closed: ${why}` },
  'call.failed': {
    level: 'warn',
    say: ({ method, name, code, message, by }) => `${method} ${name}${of(by)} failed: ${message} (${code})`,
  },
  'call.done': { level: 'debug', say: ({ method, name, ms, by }) => `${method} ${name}${of(by)}: ${ms.toFixed(1)} ms` },
  'issuer.failing': { level: 'warn', say: ({ issuer, why }) => `tokens of ${issuer} cannot be checked: ${why}` },
  'issuer.ready': { level: 'info', say: ({ issuer, keys }) => `tokens of ${issuer} can be checked (${keys} keys)` },
  'local.token': {
    level: 'warn',
    say: ({ file, exposed }) => {
      const where = file === undefined ? 'only in this process' : `in ${file}`
      return `clients must show a token, which is kept ${where}${exposed ? ', a file that others on this machine can read' : ''}`
    },
  },
  'request.refused': { level: 'debug', say: ({ code, why }) => `a request was refused: ${why} (${code})` },
  'policy.fault': {
    level: 'warn',
    say: ({ principal, what, policy, message }) =>
      `${principal} ${what} was denied because ${policy ?? 'the policies'} could not be evaluated: ${message}`,
  },
  'policy.denied': {
    level: 'debug',
    say: ({ principal, what, by }) =>
      `${principal} ${what} was denied${by.length > 0 ? ` by ${by.join(', ')}` : ': no policy permits it'}`,
  },
  'policy.trial': {
    level: 'info',
    say: ({ principal, what, now, would, by }) =>
      `trial: ${principal} ${what}: now ${now}, would be ${would}${by.length > 0 ? ` by ${by.join(', ')}` : ''}`,
  },
  'policy.trial-list': {
    level: 'info',
    say: ({ principal, gained, lost, more }) => {
      const all = [...gained.map((name) => `+${name}`), ...lost.map((name) => `-${name}`)].join(' ')
      return `trial: ${principal} would see ${all}${more > 0 ? ` and ${more} more` : ''}`
    },
  },
  'tls.renewed': { level: 'info', say: ({ certFile }) => `a new certificate is used: ${certFile}` },
  'config.reloaded': {
    level: 'info',
    say: ({ backends, kept }) => `configuration reloaded: ${backends} backends, ${kept} kept`,
  },
  'config.rejected': {
    level: 'error',
    say: ({ faults }) => `the new configuration has faults and is not used:\n${faults.join('\n')}`,
  },
  'internal.error': {
    level: 'error',
    say: ({ incident, error }) =>
      `incident ${incident}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  },
}

export const UNSEALED = 'cursors are sealed with a random key of this process (replicas share one: key sealing)'

function definition({ backend, kind, name }: { backend: string; kind: string; name: string }): string {
  return kind === 'instructions' ? `${backend}: its instructions are` : `${backend}: the ${kind} "${name}" is`
}

function withHint(message: string, hint: string | undefined): string {
  return hint === undefined ? message : `${message} (${hint})`
}

/**
 * Control characters of a peer must not reach a terminal: they could rewrite what stands there.
 * Lines after the first are indented, so that nobody can forge one of ours.
 */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- these are the characters to take out
  return text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '?').replaceAll('\n', '\n  ')
}

/** The events that a log at this level tells. */
export function toldAt(level: LogLevel): (name: EventName) => boolean {
  const limit = ORDER.indexOf(level)
  return (name) => ORDER.indexOf(SENTENCES[name].level) <= limit
}

/** A subscriber that writes one line per event. `write` receives the line with its line break. */
export function logger(format: LogFormat, write: (line: string) => void): Listener {
  return (name, data) => {
    const sentence = SENTENCES[name]
    const message = sentence.say(data)
    if (format === 'json') {
      const fields = name === 'internal.error' ? {} : data
      write(
        `${JSON.stringify({ time: new Date().toISOString(), level: sentence.level, event: name, ...fields, message })}\n`,
      )
    } else {
      write(`${new Date().toISOString()} ${sentence.level.padEnd(5)} ${printable(message)}\n`)
    }
  }
}
