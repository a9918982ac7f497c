/** Where a text speaks of something by a name that could be a tool's. */
export interface Mention {
  name: string
  at: number
}

const WORD = /[A-Za-z0-9][A-Za-z0-9_./-]*[A-Za-z0-9]/g
/** No word of a language: it has an underscore, a digit among letters, a capital inside, or more than one hyphen. */
const DISTINCT = /_|[a-z][A-Z]|[A-Za-z]\d|-.*-/
const MARKED = /["'`“‘]([\w./-]{2,128})["'`”’] tools?\b|\btools? ["'`“‘]([\w./-]{2,128})["'`”’]|\b(\w{2,128})\(\)/g

/** Ordinary words count only when they are marked as a tool: in quotes beside that word, or with parentheses. */
export function mentionsIn(text: string): Mention[] {
  const found = new Map<string, number>()
  const add = (name: string, at: number): void => void (found.has(name) || found.set(name, at))
  for (const { 0: word, index } of text.matchAll(WORD)) if (DISTINCT.test(word)) add(word, index)
  if (text.includes('tool') || text.includes('()')) {
    for (const { index, 1: before, 2: behind, 3: called } of text.matchAll(MARKED)) {
      add(before ?? behind ?? called ?? '', index)
    }
  }
  return [...found].map(([name, at]) => ({ name, at }))
}
