import type { ConnectPages } from '../../../src/auth/outbound/credentials.ts'

/** A browser in front of the gateway's pages: keeps cookies, follows to wherever the pages send it. */
export interface Browser {
  /** Headers and body of a page of the gateway. */
  open(url: string): Promise<Seen>
  cookies: Map<string, string>
}

interface Seen {
  status: number
  headers: Record<string, string>
  body: string
  /** Where a redirect leads. */
  location: string | undefined
}

export function browserFor(pages: ConnectPages, { loopback = true } = {}): Browser {
  const cookies = new Map<string, string>()
  return {
    cookies,
    async open(text) {
      const url = new URL(text)
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') || undefined
      const answer = await pages.answer({
        method: 'GET',
        path: url.pathname,
        query: url.searchParams,
        cookie,
        loopback,
        prefetch: false,
      })
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/u.exec(answer.headers['set-cookie'] ?? '') ?? []
      if (name !== '') cookies.set(name, value)
      const { location } = answer.headers
      return { ...answer, location: location === undefined ? undefined : new URL(location, url).href }
    },
  }
}
