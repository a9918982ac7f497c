import { lookup as dnsLookup } from 'node:dns/promises'
import { type IncomingMessage, request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { classifyAddress } from './addresses.ts'
import { authoritiesWith } from './authorities.ts'

/** Why an exchange did not happen or was broken off. */
export type RefusalReason = 'url' | 'address' | 'unreachable' | 'timeout' | 'redirect' | 'size' | 'answer'

/** The message names the origin at most: no path, query, header or body, so it holds no secret. */
export class FetchRefused extends Error {
  readonly reason: RefusalReason

  constructor(reason: RefusalReason, message: string) {
    super(message)
    this.name = 'FetchRefused'
    this.reason = reason
  }
}

interface Address {
  address: string
  family: number
}

type Resolve = (host: string) => Promise<readonly Address[]>

export interface GuardedOptions {
  method?: 'GET' | 'POST'
  headers?: Readonly<Record<string, string>>
  body?: string
  /** Plain http as well; `loopback`: to this machine only. */
  allowHttp?: boolean | 'loopback'
  /** Private and loopback addresses as well, or `loopback` alone; link-local and metadata addresses never. */
  allowPrivate?: boolean | 'loopback'
  /** PEM: authorities in addition to those of the system. */
  ca?: string
  /** For the whole exchange, redirects included. Default: 10,000. */
  timeoutMs?: number
  /** Of the body. Default: 1 MiB. */
  maxBytes?: number
  signal?: AbortSignal
  /** Default: the resolver of the system. */
  resolve?: Resolve
}

export interface GuardedAnswer {
  status: number
  headers: Record<string, string>
  text: string
}

export type GuardedFetch = (url: string, options?: GuardedOptions) => Promise<GuardedAnswer>

const TIMEOUT_MS = 10_000
const MAX_BYTES = 2 ** 20
const MAX_REDIRECTS = 2
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308]

const systemResolve: Resolve = (host) => dnsLookup(host, { all: true })

/**
 * The only way to issuers and authorization servers, whose addresses come from documents that others wrote: https,
 * public addresses, connections only to the address that was checked, redirects only of a GET within the origin,
 * bounded time and size. Throws `FetchRefused`; any HTTP status is an answer.
 */
export async function guardedFetch(url: string, options: GuardedOptions = {}): Promise<GuardedAnswer> {
  let target = checkedUrl(url, options)
  const limit = AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS)
  const signal = options.signal ? AbortSignal.any([limit, options.signal]) : limit
  for (let hops = 0; ; hops++) {
    try {
      const answer = await exchange(target, await checkedAddresses(target, options, signal), options, signal)
      const next = redirection(target, answer, options)
      if (next === undefined) return answer
      if (hops === MAX_REDIRECTS) throw new FetchRefused('redirect', `${target.origin} redirects too often`)
      target = next
    } catch (error) {
      throw explained(error, target, limit)
    }
  }
}

function checkedUrl(text: string, { allowHttp = false }: GuardedOptions): URL {
  const url = URL.parse(text)
  if (!url) throw new FetchRefused('url', 'the address is not a URL')
  if (url.protocol !== 'https:' && !(allowHttp && url.protocol === 'http:')) {
    const scheme = url.protocol === 'http:' ? 'http' : 'that scheme'
    throw new FetchRefused('url', `${scheme} is not allowed, only https is${url.host ? `: ${url.host}` : ''}`)
  }
  if (url.username !== '' || url.password !== '') throw new FetchRefused('url', `credentials in a URL: ${url.host}`)
  return url
}

/** Those that may be dialled. A name that leads nowhere else is refused. */
async function checkedAddresses(url: URL, options: GuardedOptions, signal: AbortSignal): Promise<readonly Address[]> {
  const host = url.hostname.replace(/^\[|\]$/gu, '')
  const literal = isIP(host)
  const resolve = options.resolve ?? systemResolve
  const found = literal === 0 ? await unlessAborted(resolve(host), signal) : [{ address: host, family: literal }]
  const allowed = found.filter(({ address }) => mayDial(url, address, options))
  if (allowed.length > 0) return allowed
  if (found.length === 0) throw new FetchRefused('unreachable', `${url.host} has no address`)
  const kinds = [...new Set(found.map(({ address }) => classifyAddress(address)))].join(', ')
  if (isLocalHttp(url, options)) {
    throw new FetchRefused('address', `http is allowed only to this machine: ${url.host} (${kinds})`)
  }
  throw new FetchRefused('address', `${url.host} leads to an address that is not allowed (${kinds})`)
}

function mayDial(url: URL, address: string, options: GuardedOptions): boolean {
  const { allowPrivate = false } = options
  const kind = classifyAddress(address)
  if (kind === 'loopback') return allowPrivate !== false
  if (isLocalHttp(url, options)) return false
  return kind === 'public' || (kind === 'private' && allowPrivate === true)
}

const isLocalHttp = (url: URL, { allowHttp }: GuardedOptions): boolean =>
  url.protocol === 'http:' && allowHttp === 'loopback'

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const aborted = new Promise<never>((_done, fail) => {
    signal.addEventListener('abort', () => fail(signal.reason as Error), { once: true })
  })
  return Promise.race([work, aborted])
}

async function exchange(
  url: URL,
  addresses: readonly Address[],
  options: GuardedOptions,
  signal: AbortSignal,
): Promise<GuardedAnswer> {
  const { ca, body, maxBytes = MAX_BYTES } = options
  const response = await new Promise<IncomingMessage>((done, fail) => {
    const dial = url.protocol === 'https:' ? httpsRequest : httpRequest
    const outgoing = dial(url, {
      method: options.method ?? 'GET',
      headers: {
        accept: 'application/json',
        'accept-encoding': 'identity',
        ...options.headers,
        ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
      },
      // A pooled connection could lead to an address that was never checked.
      agent: false,
      lookup: pinned(addresses),
      signal,
      ...(ca === undefined ? {} : { secureContext: authoritiesWith(ca) }),
    })
    outgoing.on('response', done).on('error', fail).end(body)
  })
  try {
    return {
      status: response.statusCode ?? 0,
      headers: flat(response),
      text: await readText(url, response, maxBytes),
    }
  } finally {
    response.destroy()
  }
}

/** Dials what was checked and asks no resolver again: its second answer could be another one. */
function pinned(addresses: readonly Address[]): LookupFunction {
  return (_host, options, done) => {
    const first = addresses[0]
    if (options.all) done(null, [...addresses])
    else done(null, first?.address ?? '', first?.family)
  }
}

function flat(response: IncomingMessage): Record<string, string> {
  const entries = Object.entries(response.headers)
  return Object.fromEntries(
    entries.map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]),
  )
}

async function readText(url: URL, response: IncomingMessage, maxBytes: number): Promise<string> {
  const encoding = response.headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity') throw new FetchRefused('answer', `${url.origin} sent a compressed answer unasked`)
  const chunks: Buffer[] = []
  let size = Number(response.headers['content-length'] ?? 0) > maxBytes ? maxBytes + 1 : 0
  if (size === 0) {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > maxBytes) break
      chunks.push(chunk)
    }
  }
  if (size > maxBytes) throw new FetchRefused('size', `${url.origin} sent more than ${maxBytes} bytes`)
  return Buffer.concat(chunks).toString('utf8')
}

/** Where to go on; `undefined`: this is the answer. */
function redirection(url: URL, { status, headers }: GuardedAnswer, options: GuardedOptions): URL | undefined {
  const location = headers['location']
  if (!REDIRECTS.includes(status) || location === undefined) return undefined
  if (options.method === 'POST') throw new FetchRefused('redirect', `${url.origin} redirects a POST`)
  const next = URL.parse(location, url.href)
  if (next?.origin !== url.origin) throw new FetchRefused('redirect', `${url.origin} redirects to another origin`)
  return checkedUrl(next.href, options)
}

function explained(error: unknown, url: URL, limit: AbortSignal): FetchRefused {
  if (error instanceof FetchRefused) return error
  if (limit.aborted) return new FetchRefused('timeout', `${url.origin} did not answer in time`)
  const code = (error as { code?: unknown } | null)?.code
  // Texts of lower layers may quote what was sent; their codes (ECONNREFUSED, CERT_HAS_EXPIRED) do not.
  return new FetchRefused(
    'unreachable',
    `${url.origin} cannot be reached${typeof code === 'string' ? `: ${code}` : ''}`,
  )
}
