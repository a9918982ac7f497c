import type { ErrorCode } from '../model/errors.ts'
import type { Secret } from '../model/secret.ts'
import type { BackendFault, Transport } from '../model/backend.ts'
import type { BackendId } from '../model/ids.ts'

/** Everything that is told, once. Who listens is decided at start-up. Durations are milliseconds. */
export interface Events {
  'gateway.listening': { url: string; transport: 'http' | 'stdio'; name: string }
  'gateway.stopping': { reason: string }
  /** Anonymous callers of other machines may come in. */
  'gateway.exposed': { host: string }
  /** No sealing key is configured: this process made one up. */
  'gateway.unsealed': { key: 'sealing' }
  'backend.ready': {
    backend: BackendId
    transport: Transport
    revision: string
    tools: number
    resources: number
    prompts: number
    ms: number
  }
  /** It lets nobody in but its users. `page`: where the one user of this gateway signs in. */
  'backend.personal': { backend: BackendId; transport: Transport; page: Secret | undefined; ms: number }
  'backend.failing': { backend: BackendId; transport: Transport; fault: BackendFault; retryInMs: number | undefined }
  'backend.stderr': { backend: BackendId; line: string }
  'backend.noise': { backend: BackendId; line: string }
  'backend.note': { backend: BackendId; message: string }
  /** A user has to sign in to a backend, or has, or will not; or signed out, and the tokens may still be good. `subject`: key of a principal, or `local`. */
  'sign-in':
    | { kind: 'sign-in-needed'; backend: string; subject: string }
    | { kind: 'sign-in-failing'; backend: string; subject: string; why: string }
    | {
        kind: 'sign-in-ended'
        backend: string
        subject: string
        outcome: 'connected' | 'refused' | 'expired'
        why?: string
      }
    | { kind: 'revocation-failed'; backend: string; subject: string; why: string }
  /** What is kept of those who signed in cannot be used: `remedy` says what the operator can do about it. */
  'token-store.failing': { why: string; file: string; remedy: string }
  'catalogue.changed': {
    version: number
    tools: number
    prompts: number
    resources: number
    tokens: number
    pending: number
  }
  'catalogue.note': { message: string }
  /** Not what the lock says: nobody is shown it. And that it is what the lock says again. `name` is empty for instructions. */
  'definition.withheld': { backend: BackendId; kind: string; name: string; why: 'new' | 'changed' }
  'definition.restored': { backend: BackendId; kind: string; name: string }
  /** A definition that somebody should read; it is shown all the same. */
  'definition.suspicious': {
    backend: BackendId
    kind: string
    name: string
    rule: string
    excerpt: string
    where: string
  }
  /** A composite tool does not fit the tools that there are, or waits for a backend to tell its tools; or can be called again. */
  'workflow.withdrawn': { workflow: string; why: string; hint?: string }
  'workflow.waiting': { workflow: string; why: string }
  'workflow.ready': { workflow: string }
  /** Runs cannot be written, or read again. */
  'workflow-store.failing': { why: string }
  /** The configuration names another place for runs than the one where they lie as long as this process does. */
  'workflow-store.stays': { place: string; wanted: string }
  'session.opened': { client: string; revision: string; sessions: number }
  'session.closed': { why: string; sessions: number }
  /** `by`: the workflow and its step that made the call, `release/push`; absent: a client. */
  'call.failed': { method: string; name: string; code: string; message: string; by?: string }
  'call.done': { method: string; name: string; ms: number; by?: string }
  /** Tokens of an issuer cannot be checked; and that they can be, again or at last. */
  'issuer.failing': { issuer: string; why: string }
  'issuer.ready': { issuer: string; keys: number }
  /** The token that clients must show, when it was made just now. `file`: where it is kept. */
  'local.token': { file: string | undefined; exposed: boolean; token: Secret | undefined }
  /** Somebody did not get past the door. */
  'request.refused': { code: ErrorCode; why: string }
  /** A policy could not be evaluated, which denies. `what`: the action, and the name of what was asked for. */
  'policy.fault': { principal: string; what: string; policy: string | undefined; message: string }
  /** `by`: the policies that forbid it; empty: none permits it. */
  'policy.denied': { principal: string; what: string; by: readonly string[] }
  /** What policies on trial would have decided otherwise. `by`: the policies that would have decided. */
  'policy.trial': {
    principal: string
    what: string
    now: 'allow' | 'deny'
    would: 'allow' | 'deny'
    by: readonly string[]
  }
  /** What they would have listed otherwise. `more`: names beyond those that are told. */
  'policy.trial-list': { principal: string; gained: readonly string[]; lost: readonly string[]; more: number }
  'tls.renewed': { certFile: string }
  'config.reloaded': { backends: number; kept: number }
  'config.rejected': { faults: readonly string[] }
  'internal.error': { incident: string; error: unknown }
}

export type EventName = keyof Events
export type Listener = <Name extends EventName>(name: Name, data: Events[Name]) => void

/** One typed map of events. An event that nobody wants costs one look-up. */
export class Telemetry {
  #listeners: readonly { listener: Listener; wants: (name: EventName) => boolean }[] = []
  /** Who wants what; made anew when somebody comes or leaves. */
  #heard = new Map<EventName, readonly Listener[]>()

  /** `wants` is asked once per event, not once per emission. */
  subscribe(listener: Listener, wants: (name: EventName) => boolean = () => true): () => void {
    const entry = { listener, wants }
    this.#listeners = [...this.#listeners, entry]
    this.#heard = new Map()
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== entry)
      this.#heard = new Map()
    }
  }

  /** Whether anybody wants this event; guards events whose data cost something to build. */
  hears(name: EventName): boolean {
    return this.#listenersOf(name).length > 0
  }

  emit<Name extends EventName>(name: Name, data: Events[Name]): void {
    for (const listener of this.#listenersOf(name)) listener(name, data)
  }

  #listenersOf(name: EventName): readonly Listener[] {
    let listeners = this.#heard.get(name)
    if (!listeners) {
      listeners = this.#listeners.filter(({ wants }) => wants(name)).map(({ listener }) => listener)
      this.#heard.set(name, listeners)
    }
    return listeners
  }
}
