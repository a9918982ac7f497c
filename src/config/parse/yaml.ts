import { type Document, isAlias, isMap, isScalar, isSeq, type Node, parseAllDocuments } from 'yaml'
import { type Fault, fileError, warning } from '../faults.ts'
import { joinPath, lineIndex, type Located, type LocatedMap, type Position, type Scalar } from '../positions.ts'
import { MAX_ALIASED_VALUES, MAX_DEPTH, TOO_DEEP } from './limits.ts'
import { duplicateKey, forbiddenKey, type Parsed } from './parsed.ts'

/** Parses YAML 1.2 with any number of documents, anchors and merge keys (`<<`). Never throws. */
export function parseYaml(file: string, text: string): Parsed {
  const lines = lineIndex(text)
  const position = (offset: number, path: string): Position => ({ file, ...lines(offset), path })
  const parsed = parseAllDocuments(text, { uniqueKeys: false, prettyErrors: false, version: '1.2' })
  const documents: Located[] = []
  const faults: Fault[] = []
  for (const document of Array.isArray(parsed) ? parsed : []) {
    const [error] = document.errors
    if (error) faults.push(fileError(position(error.pos[0], ''), syntaxMessage(error.message)))
    for (const note of document.warnings) faults.push(warning(position(note.pos[0], ''), note.message))
    if (error || !document.contents) continue
    const value = convertDocument(document, position, faults)
    if (value.kind !== 'scalar' || value.value !== null) documents.push(value)
  }
  return { documents, faults }
}

const syntaxMessage = (message: string): string =>
  message.startsWith('Maximum call stack')
    ? TOO_DEEP
    : `broken YAML: ${message.charAt(0).toLowerCase()}${message.slice(1)}`

function convertDocument(
  document: Document,
  position: (offset: number, path: string) => Position,
  faults: Fault[],
): Located {
  let aliased = 0
  let refused = false

  const refuse = (at: Position, message: string): Located => {
    // Once: a bomb would repeat it for each of its branches.
    if (!refused) faults.push(fileError(at, message))
    refused = true
    return { kind: 'scalar', value: null, text: '', at }
  }

  const convert = (node: unknown, path: string, depth: number, inAlias: boolean, fallback: Position): Located => {
    const at = hasRange(node) ? position(node.range[0], path) : { ...fallback, path }
    if (refused) return { kind: 'scalar', value: null, text: '', at }
    if (depth > MAX_DEPTH) return refuse(at, TOO_DEEP)
    if (inAlias && ++aliased > MAX_ALIASED_VALUES) {
      return refuse(at, `the aliases of this document expand to more than ${MAX_ALIASED_VALUES} values`)
    }
    if (isAlias(node)) {
      const target = node.resolve(document)
      if (!target) return refuse(at, `the alias *${node.source} has no anchor`)
      return convert(target, path, depth + 1, true, at)
    }
    if (isSeq(node)) {
      const items = node.items.map((item, index) => convert(item, joinPath(path, index), depth + 1, inAlias, at))
      return { kind: 'list', items, at }
    }
    if (isMap(node)) return convertMap(node.items, path, depth, inAlias, at)
    if (!isScalar(node)) return { kind: 'scalar', value: null, text: '', at }
    const value = node.value
    if (typeof value === 'bigint')
      return { kind: 'scalar', value: Number(value), text: node.source ?? String(value), at }
    if (value === null || ['string', 'number', 'boolean'].includes(typeof value)) {
      return { kind: 'scalar', value: value as Scalar, text: node.source ?? String(value), at }
    }
    faults.push(fileError(at, 'expected text, a number, true, false, a list or a map'))
    return { kind: 'scalar', value: null, text: '', at }
  }

  const convertMap = (
    pairs: readonly { key: unknown; value: unknown }[],
    path: string,
    depth: number,
    inAlias: boolean,
    at: Position,
  ): LocatedMap => {
    const result: LocatedMap = { kind: 'map', entries: new Map(), at }
    const merged: LocatedMap[] = []
    for (const { key: keyNode, value: valueNode } of pairs) {
      const keyTarget = isAlias(keyNode) ? keyNode.resolve(document) : keyNode
      const keyOffset = hasRange(keyNode) ? keyNode.range[0] : 0
      if (!isScalar(keyTarget) || typeof keyTarget.value === 'object') {
        // `{{ x }}` without quotes is a map whose key is a map.
        const hint = isMap(keyTarget) ? 'put a template in quotes: "{{ ... }}"' : undefined
        faults.push(fileError(position(keyOffset, path), 'expected a key that is a plain text', hint))
        continue
      }
      const key = typeof keyTarget.value === 'string' ? keyTarget.value : (keyTarget.source ?? '')
      const keyAt = position(keyOffset, joinPath(path, key))
      if (key === '<<' && keyTarget.type === 'PLAIN') {
        const value = convert(valueNode, path, depth + 1, inAlias, keyAt)
        const sources = value.kind === 'list' ? value.items : [value]
        for (const source of sources) {
          if (source.kind === 'map') merged.push(source)
          else if (!refused) faults.push(fileError(keyAt, 'expected << to name a map or a list of maps'))
        }
        continue
      }
      const first = result.entries.get(key)
      if (first) faults.push(duplicateKey(key, keyAt, first.at))
      else if (key === '__proto__') faults.push(forbiddenKey(keyAt))
      else {
        const value = convert(valueNode, joinPath(path, key), depth + 1, inAlias, keyAt)
        result.entries.set(key, { at: keyAt, value })
      }
    }
    for (const source of merged) {
      for (const [key, entry] of source.entries) if (!result.entries.has(key)) result.entries.set(key, entry)
    }
    return result
  }

  return convert(document.contents, '', 0, false, position(0, ''))
}

function hasRange(node: unknown): node is { range: [number, number, number] } {
  return typeof node === 'object' && node !== null && Array.isArray((node as Node).range)
}
