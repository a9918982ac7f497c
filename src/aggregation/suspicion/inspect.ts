import type { JsonObject } from '../../model/json.ts'
import { hiddenIn, visible } from './hidden.ts'
import { folded } from './look-alikes.ts'
import { mentionsIn } from './mentions.ts'
import { phrasesIn } from './phrases.ts'
import type { Finding } from './rules.ts'
import { type Text, textsOf } from './texts.ts'

/** What one definition says by itself, whoever else there is. */
export interface Inspection {
  rows: readonly Pick<Finding, 'rule' | 'excerpt' | 'where'>[]
  /** Names that its prose speaks of, for comparison with the tools of others. */
  mentions: readonly { name: string; excerpt: string; where: string }[]
}

/** UTF-16 units of one definition that are looked through: a server must not keep the gateway busy with one tool. */
const MAX_TEXT = 128 * 1024
const MAX_MENTIONS = 200
const EXCERPT_BEFORE = 20
const EXCERPT_LENGTH = 80
const MAX_WHERE = 120

/** Names and types, most of what there is: one short word can hide nothing and say nothing. */
const WORD = /^[\w.$-]{0,40}$/

/** Definitions are never edited in place, so one look is enough. */
const known = new WeakMap<JsonObject, Inspection>()

export function inspect(definition: JsonObject): Inspection {
  let inspection = known.get(definition)
  if (!inspection) known.set(definition, (inspection = inspectTexts(textsOf(definition))))
  return inspection
}

export const isInspected = (definition: JsonObject): boolean => known.has(definition)

export function inspectTexts(texts: readonly Text[]): Inspection {
  const rows: Inspection['rows'][number][] = []
  const mentions: Inspection['mentions'][number][] = []
  let left = MAX_TEXT
  for (const { where: path, text: whole, prose } of texts) {
    if (!prose && WORD.test(whole)) continue
    const where = visible(path.slice(0, MAX_WHERE))
    if (whole.length > left) rows.push({ rule: 'oversized', excerpt: excerptOf(whole, 0), where })
    const text = whole.slice(0, left)
    left -= text.length
    for (const { rule, at } of hiddenIn(text)) rows.push({ rule, excerpt: excerptOf(text, at), where })
    for (const found of phrasesIn(text, folded(text))) {
      rows.push({ rule: found.rule, excerpt: excerptOf(found.in, found.at), where })
    }
    if (prose && mentions.length < MAX_MENTIONS) {
      for (const { name, at } of mentionsIn(text)) mentions.push({ name, excerpt: excerptOf(text, at), where })
    }
    if (left <= 0) break
  }
  return { rows, mentions }
}

function excerptOf(text: string, at: number): string {
  const start = Math.max(0, at - EXCERPT_BEFORE)
  const end = start + EXCERPT_LENGTH
  const middle = visible(text.slice(start, end)).trim()
  return `${start > 0 ? '…' : ''}${middle}${end < text.length ? '…' : ''}`
}
