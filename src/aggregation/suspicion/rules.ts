import type { BackendId } from '../../model/ids.ts'
import type { PinKind } from '../pinning/pins.ts'
import type { HiddenRule } from './hidden.ts'
import type { PhraseRule } from './phrases.ts'

export type Rule = HiddenRule | PhraseRule | 'shadowing' | 'look-alike' | 'oversized'

/** Why each rule is one, in the words that an operator reads. */
export const RULES: Readonly<Record<Rule, string>> = {
  'zero-width': 'characters without width, which only the model reads',
  bidi: 'characters that turn the direction of the text around',
  tag: 'tag characters, an invisible copy of ASCII',
  'variation-selector': 'variation selectors that vary nothing and can carry hidden bytes',
  'private-use': 'private-use characters, which mean what their author wants',
  control: 'control characters or terminal escapes',
  override: 'tells the model to ignore its instructions',
  secrecy: 'tells the model to keep something from the user',
  precedence: 'puts itself before, after or in place of every other tool',
  'pseudo-markup': 'imitates the markup of a system prompt',
  'secret-files': 'asks for files that hold secrets',
  exfiltration: 'asks for credentials, the environment or the conversation',
  encoded: 'holds encoded text that nobody can read',
  shadowing: "speaks of another backend's tool",
  'look-alike': "its name is easily taken for that of another backend's tool",
  oversized: 'is too long to be looked through',
}

/** One reason to look at a definition. It blocks nothing. */
export interface Finding {
  backend: BackendId
  kind: PinKind
  /** As its backend knows it; empty for instructions. */
  name: string
  rule: Rule
  /** What was found, hidden characters as `[U+XXXX]`; `shadowing` and `look-alike`: whose tool is meant. */
  excerpt: string
  /** The field: `inputSchema.properties.path.description`. */
  where: string
}
