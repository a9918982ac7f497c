import { withoutHidden } from './hidden.ts'

/** Letters of other alphabets that look like a Latin one in most fonts, after lower-casing (from Unicode's confusables). */
const ALIKE: Readonly<Record<string, string>> = {
  a: 'аαɑ',
  b: 'вβ',
  c: 'сⅽ',
  d: 'ԁ',
  e: 'еѐёε',
  g: 'ɡց',
  h: 'һнհ',
  i: 'іїιı',
  j: 'ј',
  k: 'кκ',
  l: 'ӏℓ',
  m: 'м',
  n: 'ոη',
  o: 'оοօᴏⲟ',
  p: 'рρ',
  q: 'ԛզ',
  r: 'г',
  s: 'ѕ',
  t: 'тτ',
  u: 'υս',
  v: 'ѵν',
  w: 'ԝω',
  x: 'хχ',
  y: 'уүγ',
  '-': '‐‑‒–',
}
const LATIN = new Map(Object.entries(ALIKE).flatMap(([latin, others]) => Array.from(others, (other) => [other, latin])))
const ALIKES = new RegExp(`[${[...LATIN.keys()].join('')}]`, 'gu')
// oxlint-disable-next-line no-control-regex -- everything that is ASCII
const PLAIN = /^[\u0000-\u007f]*$/

/** As it looks at a glance: no hidden characters, look-alikes as the Latin letters that they resemble, lower case. */
export function folded(text: string): string {
  if (PLAIN.test(text)) return text.toLowerCase()
  const lower = withoutHidden(text.normalize('NFKC')).toLowerCase()
  return lower.replaceAll(ALIKES, (letter) => LATIN.get(letter) ?? letter)
}

/** The same for names, in which digits pass for letters too. Names of one skeleton are easily taken for each other. */
export const skeleton = (name: string): string => withoutHidden(folded(name)).replaceAll('0', 'o').replaceAll('1', 'l')
