/** What a page tells: lines of plain text, and at most one link. */
export interface PageText {
  readonly title: string
  readonly lines: readonly string[]
  readonly link?: { readonly text: string; readonly href: string }
}

export interface PageAnswer {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: string
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

export const escaped = (text: string): string => text.replace(/[&<>"']/gu, (character) => ENTITIES[character] ?? '')

const STYLE = `:root{color-scheme:light dark}
body{font:1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1.5rem}
h1{font-size:1.4rem;line-height:1.25}
p{overflow-wrap:anywhere}`

/** Nothing runs, nothing is fetched, nothing is kept, and where it leads is not told where it came from. */
const HEADERS = {
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
}

export function page(
  status: number,
  { title, lines, link }: PageText,
  headers: Record<string, string> = {},
): PageAnswer {
  const paragraphs = lines.map((line) => `<p>${escaped(line)}</p>`)
  if (link) paragraphs.push(`<p><a href="${escaped(link.href)}">${escaped(link.text)}</a></p>`)
  const body = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>
${STYLE}
</style>
<h1>${escaped(title)}</h1>
${paragraphs.join('\n')}
</html>
`
  return { status, headers: { ...HEADERS, 'content-type': 'text/html; charset=utf-8', ...headers }, body }
}

/** Sends the browser on. */
export function redirect(url: string, headers: Record<string, string> = {}): PageAnswer {
  return page(302, { title: 'Sign in', lines: ['The sign-in goes on elsewhere.'] }, { ...headers, location: url })
}

export function json(value: unknown): PageAnswer {
  return { status: 200, headers: { ...HEADERS, 'content-type': 'application/json' }, body: JSON.stringify(value) }
}
