import { hash, randomBytes } from 'node:crypto'
import type { BackendSpec } from '../../../../model/backend.ts'
import { Secret } from '../../../../model/secret.ts'
import { putYoungest } from '../../../bounded.ts'

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
  /** Opens the page. */
  readonly ticket: Secret
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
  browser: Secret | undefined
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

interface Pending {
  readonly consent: Consent
  readonly settle: (outcome: Outcome) => void
  readonly timer: NodeJS.Timeout
}

/** Beyond `max` the oldest ends. */
export function createConsents(now: () => number, max = MAX_PENDING): Consents {
  const pending = new Map<string, Pending>()
  const byWish = new Map<string, Consent>()

  function end(consent: Consent, outcome: Outcome): void {
    const key = ticketKey(consent.ticket.reveal())
    const entry = pending.get(key)
    pending.delete(key)
    if (entry) over(entry, outcome)
  }

  function over({ consent, settle, timer }: Pending, outcome: Outcome): void {
    byWish.delete(wishKey(consent))
    clearTimeout(timer)
    settle(outcome)
  }

  function current(ticket: string): Consent | undefined {
    const consent = pending.get(ticketKey(ticket))?.consent
    if (!consent || consent.expiresAt > now()) return consent
    end(consent, 'expired')
    return undefined
  }

  const isPending = ({ ticket }: Consent): boolean => current(ticket.reveal()) !== undefined

  return {
    ask(wish) {
      const known = byWish.get(wishKey(wish))
      if (known && isPending(known)) {
        known.backend = wish.backend
        known.scopes = [...new Set([...known.scopes, ...wish.scopes])]
        return known
      }
      const { promise: settled, resolve: settle } = Promise.withResolvers<Outcome>()
      const ticket = randomText()
      const id = randomBytes(12).toString('base64url')
      const expiresAt = now() + CONSENT_MS
      const fresh = { mistaken: false, retried: false, browser: undefined }
      const consent: Consent = { ...wish, ...fresh, id, ticket: new Secret(ticket), settled, expiresAt }
      const timer = setTimeout(() => end(consent, 'expired'), CONSENT_MS).unref()
      const oldest = putYoungest(pending, ticketKey(ticket), { consent, settle, timer }, max)
      if (oldest) over(oldest, 'expired')
      byWish.set(wishKey(wish), consent)
      return consent
    },
    byTicket: current,
    isPending,
    end,
    close() {
      for (const { consent } of pending.values()) end(consent, 'expired')
    },
  }
}

/** Not the ticket itself: how long it takes to find one says nothing about another one. */
const ticketKey = (ticket: string): string => hash('sha256', ticket, 'base64url')

const wishKey = ({ backend, subject, aim }: Wish): string => JSON.stringify([backend.id, subject, aim])
