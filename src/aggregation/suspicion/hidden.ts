/** Characters that people do not see and models read. */
export type HiddenRule = 'zero-width' | 'bidi' | 'tag' | 'variation-selector' | 'private-use' | 'control'

/** Everything that is looked at more closely. Ordinary text has none of it and is through after this. */
const CANDIDATE =
  // oxlint-disable-next-line no-misleading-character-class -- the selectors themselves are meant
  /[^\P{Cc}\t\n\r]|[\p{Cf}\p{Co}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/u
const CANDIDATES = new RegExp(CANDIDATE, 'gu')

interface Row {
  rule: HiddenRule
  is: RegExp
  /** Whether it does here what it was made for. */
  fits?: (text: string, at: number) => boolean
}

/** Format characters that can be seen: signs of Arabic, Syriac, Kaithi and of shorthand. */
const VISIBLE = /[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u{110bd}\u{110cd}\u{1bca0}-\u{1bca3}]/u
const JOINING_SCRIPT =
  /[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Gurmukhi}\p{Script=Gujarati}\p{Script=Oriya}\p{Script=Tamil}\p{Script=Telugu}\p{Script=Kannada}\p{Script=Malayalam}\p{Script=Sinhala}\p{Script=Khmer}\p{Script=Mongolian}]/u
const RIGHT_TO_LEFT = /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}]/u
const EMOJI_END = /[\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f]$/u
const EMOJI_START = /^\p{Extended_Pictographic}/u
/** The flags that are spelt with tags: England, Scotland, Wales. */
const FLAG =
  /\u{1f3f4}\u{e0067}\u{e0062}(?:\u{e0065}\u{e006e}\u{e0067}|\u{e0073}\u{e0063}\u{e0074}|\u{e0077}\u{e006c}\u{e0073})\u{e007f}/gu
/** What a variation selector may follow: one alone, after a sign that has variants. */
const VARIED = /[\p{Emoji}\p{So}\p{Sm}\p{Script=Han}\p{Script=Mongolian}]$/u

const before = (text: string, at: number): string => text.slice(Math.max(0, at - 2), at)
const after = (text: string, at: number, length: number): string => text.slice(at + length, at + length + 2)

/** The first row that fits counts. */
const ROWS: readonly Row[] = [
  {
    rule: 'tag',
    is: /[\u{e0000}-\u{e007f}]/u,
    fits: (text, at) =>
      [...text.slice(Math.max(0, at - 14), at + 14).matchAll(FLAG)].some(({ index, 0: flag }) => {
        const start = Math.max(0, at - 14) + index
        return start < at && at < start + flag.length
      }),
  },
  {
    rule: 'variation-selector',
    is: /[\u180b-\u180d\u180f\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/u,
    fits: (text, at) => VARIED.test(before(text, at)),
  },
  {
    rule: 'bidi',
    is: /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u,
    // Marks only steer the text beside them; what embeds or overrides can make a line read otherwise than it is.
    fits: (text, at) => /[\u061c\u200e\u200f]/u.test(text[at] ?? '') && RIGHT_TO_LEFT.test(text),
  },
  {
    rule: 'zero-width',
    is: /[\u200c\u200d]/u,
    fits: (text, at) =>
      (text[at] === '\u200d' && EMOJI_END.test(before(text, at)) && EMOJI_START.test(after(text, at, 1))) ||
      (JOINING_SCRIPT.test(before(text, at)) && JOINING_SCRIPT.test(after(text, at, 1))),
  },
  { rule: 'private-use', is: /\p{Co}/u },
  { rule: 'control', is: /\p{Cc}/u },
  // A byte order mark in front of a text is a slip of an editor.
  { rule: 'zero-width', is: /\ufeff/u, fits: (_text, at) => at === 0 },
  { rule: 'zero-width', is: VISIBLE, fits: () => true },
  { rule: 'zero-width', is: /./su },
]

/** Hidden characters without an honest use where they stand: the first of each sort. */
export function hiddenIn(text: string): { rule: HiddenRule; at: number }[] {
  if (!CANDIDATE.test(text)) return []
  const found = new Map<HiddenRule, number>()
  for (const { 0: character, index } of text.matchAll(CANDIDATES)) {
    const row = ROWS.find(({ is }) => is.test(character))
    if (row && !found.has(row.rule) && !row.fits?.(text, index)) found.set(row.rule, index)
  }
  return [...found].map(([rule, at]) => ({ rule, at }))
}

/** Without what nobody sees. */
export const withoutHidden = (text: string): string => (CANDIDATE.test(text) ? text.replaceAll(CANDIDATES, '') : text)

/** Fit for one line that a person reads: hidden characters as `[U+XXXX]`, line breaks as spaces. */
export function visible(text: string): string {
  const line = text.toWellFormed().replaceAll(/[\t\n\r\u2028\u2029]+/gu, ' ')
  if (!CANDIDATE.test(line)) return line
  return line.replaceAll(
    CANDIDATES,
    (character) => `[U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`,
  )
}
