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
export type Ending =
  | { readonly outcome: 'connected' }
  /** `why`: for people. */
  | { readonly outcome: 'refused'; readonly why: string }
  | { readonly outcome: 'expired' }

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

/** A link to a sign-in that was asked for and has not ended. There may be several to one: a browser that claims one keeps it. */
export interface Consent extends Wish {
  /** Distinguishes the sign-in from others; no secret. */
  readonly id: string
  /** Distinguishes the link from others; no secret. */
  readonly link: string
  /** Opens the page. */
  readonly ticket: Secret
  /** The end of the sign-in, whichever link it came by. */
  readonly settled: Promise<Ending>
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
  /** The link that is pending for the same user and backend and that no browser has claimed, or a new one. */
  ask(wish: Wish): Consent
  byTicket(ticket: string): Consent | undefined
  readonly isPending: (consent: Consent) => boolean
  /** Ends the sign-in for all who wait for it: no link to it works any more. */
  end(consent: Consent, ending: Ending): void
  close(): void
}

export const CONSENT_MS = 600_000
const MAX_PENDING = 10_000

export const randomText = (): string => randomBytes(32).toString('base64url')

const randomName = (): string => randomBytes(12).toString('base64url')

interface Pending {
  readonly consent: Consent
  readonly timer: NodeJS.Timeout
}

/** What all links for one user and backend lead to. */
interface Waiting {
  readonly id: string
  readonly settled: Promise<Ending>
  readonly settle: (ending: Ending) => void
  /** The youngest is the last. */
  links: readonly Consent[]
}

const EXPIRED: Ending = { outcome: 'expired' }

/** Beyond `max` links the oldest ends. */
export function createConsents(now: () => number, max = MAX_PENDING): Consents {
  const pending = new Map<string, Pending>()
  const waiting = new Map<string, Waiting>()

  function end(consent: Consent, ending: Ending): void {
    if (!isPending(consent)) return
    for (const link of waiting.get(wishKey(consent))?.links ?? []) drop(link, ending)
  }

  /** The last link takes the sign-in along. */
  function drop(consent: Consent, ending: Ending): void {
    const key = ticketKey(consent.ticket.reveal())
    clearTimeout(pending.get(key)?.timer)
    pending.delete(key)
    const wish = wishKey(consent)
    const entry = waiting.get(wish)
    if (!entry?.links.includes(consent)) return
    entry.links = entry.links.filter((link) => link !== consent)
    if (entry.links.length > 0) return
    waiting.delete(wish)
    entry.settle(ending)
  }

  function current(ticket: string): Consent | undefined {
    const consent = pending.get(ticketKey(ticket))?.consent
    if (!consent || consent.expiresAt > now()) return consent
    drop(consent, EXPIRED)
    return undefined
  }

  const isPending = ({ ticket }: Consent): boolean => current(ticket.reveal()) !== undefined

  function begin(): Waiting {
    const { promise: settled, resolve: settle } = Promise.withResolvers<Ending>()
    return { id: randomName(), settled, settle, links: [] }
  }

  return {
    ask(wish) {
      const key = wishKey(wish)
      const youngest = waiting.get(key)?.links.at(-1)
      const known = youngest && isPending(youngest) ? youngest : undefined
      const scopes = [...new Set([...(known?.scopes ?? []), ...wish.scopes])]
      if (known && known.browser === undefined) return Object.assign(known, { backend: wish.backend, scopes })
      const entry = waiting.get(key) ?? begin()
      const { id, settled } = entry
      const ticket = randomText()
      const { mistaken = false, retried = false } = known ?? {}
      const consent: Consent = {
        ...wish,
        scopes,
        id,
        link: randomName(),
        ticket: new Secret(ticket),
        settled,
        expiresAt: now() + CONSENT_MS,
        mistaken,
        retried,
        browser: undefined,
      }
      entry.links = [...entry.links, consent]
      waiting.set(key, entry)
      const timer = setTimeout(() => drop(consent, EXPIRED), CONSENT_MS).unref()
      const oldest = putYoungest(pending, ticketKey(ticket), { consent, timer }, max)
      if (oldest) {
        clearTimeout(oldest.timer)
        drop(oldest.consent, EXPIRED)
      }
      return consent
    },
    byTicket: current,
    isPending,
    end,
    close() {
      for (const { consent } of pending.values()) drop(consent, EXPIRED)
    },
  }
}

/** Not the ticket itself: how long it takes to find one says nothing about another one. */
const ticketKey = (ticket: string): string => hash('sha256', ticket, 'base64url')

const wishKey = ({ backend, subject, aim }: Wish): string => JSON.stringify([backend.id, subject, aim])
