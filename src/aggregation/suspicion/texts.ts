import { isObject, type JsonObject, type JsonValue } from '../../model/json.ts'

/** One string of a definition, and where it stands: `inputSchema.properties.path.description`. */
export interface Text {
  where: string
  text: string
  /** Prose, which may speak of other tools; the rest are names and values. */
  prose: boolean
}

/** Models do not read these. */
const UNREAD = new Set(['_meta', 'icons'])
const PROSE = new Set(['description', 'title'])
/** Deeper ones are never shown (`definitionFault`). */
const DEEPEST = 200

/** Every string that a model may come to read, keys of schemas included. */
export function textsOf(definition: JsonObject): Text[] {
  const texts: Text[] = []
  const visit = (value: JsonValue | undefined, where: string, key: string, level: number): void => {
    if (typeof value === 'string') texts.push({ where, text: value, prose: PROSE.has(key) })
    else if (level > DEEPEST) return
    else if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) visit(item, `${where}[${index}]`, key, level + 1)
    } else if (isObject(value)) {
      for (const inner of Object.keys(value)) {
        if (level === 0 && UNREAD.has(inner)) continue
        const path = where === '' ? inner : `${where}.${inner}`
        if (level > 0) texts.push({ where: path, text: inner, prose: false })
        visit(value[inner], path, inner, level + 1)
      }
    }
  }
  visit(definition, '', '', 0)
  return texts
}
