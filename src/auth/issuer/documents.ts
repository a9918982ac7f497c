import { readFile } from 'node:fs/promises'
import type { Issuer } from '../../model/issuer.ts'
import type { JsonObject } from '../../model/json.ts'
import { FetchRefused, type GuardedFetch, type GuardedOptions } from '../net/guarded-fetch.ts'
import { jsonObject } from '../net/json-answer.ts'

const TIMEOUT_MS = 5000
const MAX_ANSWER_BYTES = 512 * 1024
/** Of an answer to one introspection. */
const MAX_CLAIMS_BYTES = 64 * 1024

/** What an issuer publishes and answers, fetched within its limits. Both throw `FetchRefused`. */
export interface IssuerDocuments {
  /** A public document; `what` names it in errors. */
  read(url: string, what: string): Promise<JsonObject>
  /** The answer to a form. */
  post(url: string, what: string, headers: Readonly<Record<string, string>>, form: URLSearchParams): Promise<JsonObject>
}

export function issuerDocuments(issuer: Issuer, outside: GuardedFetch, signal: AbortSignal): IssuerDocuments {
  const { allowHttp, allowPrivate, bearerFile } = issuer
  const fetch = withAuthorities(issuer, outside)
  const options: GuardedOptions = { allowHttp, allowPrivate, timeoutMs: TIMEOUT_MS, signal }
  return {
    async read(url, what) {
      const token = bearerFile === undefined ? undefined : await readText(bearerFile, 'jwksAuthTokenPath')
      const headers = token === undefined ? {} : { authorization: `Bearer ${token.trim()}` }
      return jsonObject(await fetch(url, { ...options, headers, maxBytes: MAX_ANSWER_BYTES }), what)
    },
    async post(url, what, headers, form) {
      const answer = await fetch(url, {
        ...options,
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        body: form.toString(),
        maxBytes: MAX_CLAIMS_BYTES,
      })
      return jsonObject(answer, what)
    },
  }
}

/** Trusts the authorities that are configured for the issuer too. */
export function withAuthorities({ caFile }: Issuer, fetch: GuardedFetch): GuardedFetch {
  if (caFile === undefined) return fetch
  // Read anew every time, so that a changed file needs no restart; these exchanges are rare.
  return async (url, options) => fetch(url, { ...options, ca: await readText(caFile, 'caBundlePath') })
}

async function readText(path: string, key: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch {
    throw new FetchRefused('unreachable', `the file of ${key} cannot be read`)
  }
}
