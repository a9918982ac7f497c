/** Sentences that speak to the model over the user's head. */
export type PhraseRule =
  | 'override'
  | 'secrecy'
  | 'precedence'
  | 'pseudo-markup'
  | 'secret-files'
  | 'exfiltration'
  | 'encoded'

interface Phrase {
  rule: PhraseRule
  /**
   * Matched against folded text (look-alikes as Latin letters, lower case). Gaps are short and bounded: the text is a
   * stranger's, and a pattern that can go back and forth over all of it would stand still on a hostile one.
   */
  pattern: RegExp
}

const SECRETS = String.raw`(?:environment variables|env vars|api keys?|private keys?|ssh keys?|access tokens?|passwords?|credentials|secrets)`
const TALK = String.raw`(?:conversation|chat)(?: history)?|system prompt|(?:previous|prior|earlier) messages|context window`

/** The table of suspicions. Each row has its reason in `RULES`. */
const PHRASES: readonly Phrase[] = [
  {
    rule: 'override',
    pattern:
      /\b(?:ignore|disregard|forget|override|bypass)\b[^.]{0,20}\b(?:previous|prior|above|earlier|all|any|other|system|safety|your)\b[^.]{0,20}\b(?:instruction|prompt|guideline|directive|restriction)s?\b/,
  },
  { rule: 'override', pattern: /\bnew (?:system )?(?:instructions|prompt)\s*:/ },
  {
    rule: 'secrecy',
    pattern:
      /\b(?:do not|don['’]t|never|must not|should not|without|avoid)\b[^.]{0,20}\b(?:tell|inform|mention|reveal|disclos|alert|notify)(?:e|ing)?\b[^.]{0,40}\b(?:the user|user|users|the human|anyone|anybody)\b/,
  },
  {
    rule: 'secrecy',
    pattern: /\b(?:keep|hide|conceal)\b[^.]{0,20}\b(?:secret|hidden|this|it)\b[^.]{0,12}\bfrom (?:the )?user\b/,
  },
  {
    rule: 'precedence',
    pattern:
      /\b(?:before|prior to|after|instead of|whenever|each time|every time)\b[^.]{0,12}\b(?:us(?:e|ing)|call(?:ing)?|invok(?:e|ing)|run(?:ning)?)\b[^.]{0,8}\b(?:any|all|every|each)\b(?: of)?(?: the)?(?: other)? tools?\b/,
  },
  {
    rule: 'precedence',
    pattern:
      /\b(?:before|prior to|after|instead of|whenever)\b[^.]{0,12}\b(?:us(?:e|ing)|call(?:ing)?|invok(?:e|ing)|run(?:ning)?)\b[^.]{0,8}\bother(?: \w+)? tools?\b/,
  },
  {
    rule: 'pseudo-markup',
    pattern:
      /<\s*\/?\s*(?:important|system|secret|hidden|sys|inst|system[-_ ](?:prompt|reminder|message|instructions?))\s*>|<\|(?:im_start|im_end|system|user|assistant|start_header_id|endoftext)\|>|<<sys>>|\[\/?inst\]/,
  },
  {
    rule: 'secret-files',
    pattern:
      /\b(?:read|open|cat|include|pass|send|provide|attach|upload|copy|fetch|access|paste|contents? of)\b[^\n]{0,60}?(?:~?\/\.ssh\b|\bid_(?:rsa|ed25519|ecdsa)\b|\.aws\/credentials|\/etc\/(?:passwd|shadow)\b|~?\/\.netrc\b|~?\/\.git-credentials|~?\/\.cursor\/mcp\.json|claude_desktop_config\.json|(?:^|[\s"'`/])\.env\b)/,
  },
  {
    rule: 'exfiltration',
    pattern: new RegExp(
      String.raw`\b(?:send|include|pass|provide|attach|append|upload|forward|paste|post|read|collect)\b[^.]{0,20}\b(?:(?:the|all|any|every|full|entire|whole|complete|contents? of) ){1,3}(?:of )?(?:the )?(?:(?:user['’]?s?|your|their|available|stored|local|known) ){1,2}${SECRETS}\b`,
    ),
  },
  {
    rule: 'exfiltration',
    pattern: new RegExp(
      String.raw`\b(?:send|include|pass|provide|attach|append|upload|forward|paste|post)\b[^.]{0,16}\b(?:all|full|entire|whole|complete|contents? of)\b(?: of)?(?: (?:the|your|this|our))? (?:${SECRETS}|${TALK})`,
    ),
  },
  {
    rule: 'exfiltration',
    pattern: /\b(?:output|contents?|result|value) of (?:the )?[`'"]?(?:env|printenv|process\.env)\b/,
  },
]

interface Blob {
  pattern: RegExp
  /** Whether it is what it looks like, and not a path or a word. */
  is: (run: string) => boolean
}

/** Nobody reads these: 120 characters of base64, 48 bytes of hex. */
const BLOBS: readonly Blob[] = [
  { pattern: /(?<![0-9A-Za-z])(?:[0-9a-fA-F]{2}){48,}(?![0-9A-Za-z])/g, is: () => true },
  {
    pattern: /[A-Za-z0-9+/_-]{120,}={0,2}/g,
    is: (run) =>
      /[a-z]/.test(run) && /[A-Z]/.test(run) && /\d/.test(run) && run.split(/[/_-]/).length * 20 < run.length,
  },
]

/** What a text holds of the table: the first place of each rule. `fold` is the text as it looks at a glance. */
export function phrasesIn(text: string, fold: string): { rule: PhraseRule; at: number; in: string }[] {
  const found: { rule: PhraseRule; at: number; in: string }[] = []
  for (const { rule, pattern } of PHRASES) {
    const at = fold.search(pattern)
    if (at === -1 || found.some((other) => other.rule === rule)) continue
    // Folding may shift places: then the folded text is shown.
    found.push({ rule, at, in: fold.length === text.length ? text : fold })
  }
  if (text.length < 96) return found
  for (const { pattern, is } of BLOBS) {
    const run = [...text.matchAll(pattern)].find(([match]) => is(match))
    if (!run) continue
    found.push({ rule: 'encoded', at: run.index, in: text })
    break
  }
  return found
}
