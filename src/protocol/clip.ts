/** What a peer sent, short enough to be repeated to it in an error. */
export function clip(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}...` : text
}
