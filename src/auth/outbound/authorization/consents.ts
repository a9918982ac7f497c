import { randomBytes } from 'node:crypto'
import type { BackendSpec } from '../../../model/backend.ts'

/** Whose sign-in it must be. */
export type Person =
  /** The one user of this machine. */
  | { readonly kind: 'local' }
  /** A user of an issuer of inbound tokens. */
  | { readonly kind: 'user'; readonly issuer: string; readonly subject: string }

/** How a sign-in has ended. */
export type Outcome = 'connected' | 'refused' | 'expired'

/** What a user is asked to do. */
export interface Wish {
  readonly backend: BackendSpec
  /** Key of the principal, or `local`: whose tokens these will be. */
  readonly subject: string
  readonly person: Person
  /** `backend`: at its authorization server. `login`: at the issuer of inbound tokens, and no further. */
  readonly aim: 'backend' | 'login'
  /** Wanted beside those that the backend names. */
  readonly scopes: readonly string[]
}

/** A sign-in that was asked for and has not ended. */
export interface Consent extends Wish {
  /** Distinguishes it from others; no secret. */
  readonly id: string
  /** Opens the page; a secret. */
  readonly ticket: string
  readonly settled: Promise<Outcome>
  readonly expiresAt: number
  /** As configured now. */
  backend: BackendSpec
  scopes: readonly string[]
  /** Somebody else has signed in: the next sign-in must not go by without a question. */
  mistaken: boolean
  /** It has begun anew because the server did not know the gateway any more; once is enough. */
  retried: boolean
  /** The browser that has claimed it. */
  browser: string | undefined
}

/** Pending sign-ins of this process. */
export interface Consents {
  /** The one that is pending for the same user and backend, or a new one. */
  ask(wish: Wish): Consent
  byTicket(ticket: string): Consent | undefined
  readonly isPending: (consent: Consent) => boolean
  end(consent: Consent, outcome: Outcome): void
  close(): void
}

export const CONSENT_MS = 600_000
const MAX_PENDING = 10_000

export const randomText = (): string => randomBytes(32).toString('base64url')

/** Beyond `max` the oldest ends. */
export function createConsents(now: () => number, max = MAX_PENDING): Consents {
  /** By ticket. */
  const pending = new Map<string, { consent: Consent; settle: (outcome: Outcome) => void; timer: NodeJS.Timeout }>()
  const byWish = new Map<string, Consent>()

  function end(consent: Consent, outcome: Outcome): void {
    const entry = pending.get(consent.ticket)
    if (!entry) return
    pending.delete(consent.ticket)
    byWish.delete(wishKey(consent))
    clearTimeout(entry.timer)
    entry.settle(outcome)
  }

  function current(ticket: string): Consent | undefined {
    const consent = pending.get(ticket)?.consent
    if (!consent || consent.expiresAt > now()) return consent
    end(consent, 'expired')
    return undefined
  }

  return {
    ask(wish) {
      const known = byWish.get(wishKey(wish))
      if (known && current(known.ticket)) {
        known.backend = wish.backend
        known.scopes = [...new Set([...known.scopes, ...wish.scopes])]
        return known
      }
      const oldest = pending.size >= max ? pending.values().next().value : undefined
      if (oldest) end(oldest.consent, 'expired')
      const { promise: settled, resolve: settle } = Promise.withResolvers<Outcome>()
      const ticket = randomText()
      const id = randomBytes(12).toString('base64url')
      const expiresAt = now() + CONSENT_MS
      const fresh = { mistaken: false, retried: false, browser: undefined }
      const consent: Consent = { ...wish, ...fresh, id, ticket, settled, expiresAt }
      const timer = setTimeout(() => end(consent, 'expired'), CONSENT_MS).unref()
      pending.set(ticket, { consent, settle, timer })
      byWish.set(wishKey(wish), consent)
      return consent
    },
    byTicket: current,
    isPending: ({ ticket }) => current(ticket) !== undefined,
    end,
    close() {
      for (const { consent } of pending.values()) end(consent, 'expired')
    },
  }
}

const wishKey = ({ backend, subject, aim }: Wish): string => JSON.stringify([backend.id, subject, aim])
