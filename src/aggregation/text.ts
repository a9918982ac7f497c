const LONGEST_QUOTE = 80
const MOST_ITEMS = 10

/** A name out of hostile hands, fit for one line of a message: control characters escaped, long names cut. */
export function quote(name: string): string {
  return JSON.stringify(name.length > LONGEST_QUOTE ? `${name.slice(0, LONGEST_QUOTE)}…` : name)
}

/** `a, b, c and 4 more` */
export function several(items: readonly string[]): string {
  if (items.length <= MOST_ITEMS) return items.join(', ')
  return `${items.slice(0, MOST_ITEMS).join(', ')} and ${items.length - MOST_ITEMS} more`
}
