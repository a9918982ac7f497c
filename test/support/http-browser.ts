export interface Page {
  status: number
  /** Where it stands after all redirects. */
  url: URL
  text: string
}

/** A browser that follows redirects, keeps cookies by origin, and signs in at a test provider as `user`. */
export class Browser {
  readonly #cookies = new Map<string, Map<string, string>>()
  readonly #user: string
  readonly #reach: (url: URL) => URL

  /** `reach`: where the server for an address is really to be found. */
  constructor(user: string, reach: (url: URL) => URL = (url) => url) {
    this.#user = user
    this.#reach = reach
  }

  async open(start: string): Promise<Page> {
    let url = new URL(start)
    for (let hops = 0; hops < 20; hops++) {
      const cookies = this.#cookiesOf(url.origin)
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
      const answer = await fetch(this.#reach(url), { headers: { cookie, accept: 'text/html' }, redirect: 'manual' })
      for (const line of answer.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/u.exec(line) ?? []
        if (/max-age=0|expires=thu, 01 jan 1970/iu.test(line)) cookies.delete(name)
        else cookies.set(name, value)
      }
      const text = await answer.text()
      const location = answer.headers.get('location')
      if (answer.status < 300 || answer.status > 399 || location === null) return { status: answer.status, url, text }
      url = new URL(location, url)
    }
    throw new Error(`${start} redirects without end`)
  }

  #cookiesOf(origin: string): Map<string, string> {
    let cookies = this.#cookies.get(origin)
    if (!cookies) this.#cookies.set(origin, (cookies = new Map([['user', this.#user]])))
    return cookies
  }
}
