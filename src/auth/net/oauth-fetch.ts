import { FetchRefused, type GuardedFetch, type GuardedOptions } from './guarded-fetch.ts'

/** What `oauth4webapi` passes to its `customFetch`. */
interface OAuthRequest {
  method: string
  headers: Readonly<Record<string, string>>
  /** Text, or a form. */
  body?: unknown
  signal?: AbortSignal | undefined
}

/** The part of `fetch` that `oauth4webapi` uses. */
export type OAuthFetch = (url: string, request: OAuthRequest) => Promise<Response>

/** Statuses that the constructor of `Response` takes no body with. */
const BODILESS: readonly number[] = [204, 205, 304]

/**
 * `guardedFetch` as a `customFetch` for `oauth4webapi`, whose own redirects, limits and addresses do not count: those of
 * `options` do. Rejects with `FetchRefused`.
 */
export function oauthFetch(
  fetch: GuardedFetch,
  options: Omit<GuardedOptions, 'method' | 'headers' | 'body'>,
): OAuthFetch {
  return async (url, { method, headers, body, signal }) => {
    if (method !== 'GET' && method !== 'POST') throw new FetchRefused('url', `${method} is not needed here`)
    const signals = [options.signal, signal].filter((one) => one !== undefined)
    const answer = await fetch(url, {
      ...options,
      method,
      headers,
      ...(signals.length > 0 && { signal: AbortSignal.any(signals) }),
      ...(body !== undefined && body !== null && { body: textOf(body) }),
    })
    try {
      const { status } = answer
      return new Response(BODILESS.includes(status) ? null : answer.text, { status, headers: answer.headers })
    } catch {
      throw new FetchRefused('answer', `${URL.parse(url)?.origin} gave an answer that is no HTTP answer`)
    }
  }
}

function textOf(body: unknown): string {
  if (typeof body === 'string') return body
  if (body instanceof URLSearchParams) return body.toString()
  throw new FetchRefused('url', 'the body is neither text nor a form')
}
