import { startBlocks } from './blocks.ts'
import { decideDialect, type Dialect } from './dialect.ts'
import { Refused, type TemplateFault } from './fault.ts'
import { readGo } from './go.ts'
import { readHandlebars } from './handlebars.ts'
import { findMentions, type Mention } from './mentions.ts'
import { type Action, scan } from './scan.ts'
import type { Tree } from './tree.ts'
import { isEscaped, trimmed } from './whitespace.ts'

/** A text that has been read. */
export interface ParsedTemplate {
  readonly text: string
  readonly dialect: Dialect
  /** Exactly one expression and nothing around it: its value keeps its type. */
  readonly single: boolean
  readonly tree: Tree
  readonly mentions: readonly Mention[]
}

export const isFault = (parsed: ParsedTemplate | TemplateFault): parsed is TemplateFault => 'message' in parsed

/** Reads a template in either spelling. Takes time in proportion to the text, and no deep stack. */
export function parseTemplate(text: string): ParsedTemplate | TemplateFault {
  try {
    return parse(text)
  } catch (error) {
    if (error instanceof Refused) return error.fault
    throw error
  }
}

function parse(text: string): ParsedTemplate {
  const pieces = scan(text)
  const dialect = decideDialect(pieces.filter((piece): piece is Action => piece.kind === 'action'))
  const blocks = startBlocks()
  const read = dialect === 'go' ? readGo(blocks) : readHandlebars(blocks)
  for (const [at, piece] of pieces.entries()) {
    if (piece.kind === 'action' && !isEscaped(piece, dialect)) {
      read(piece)
      continue
    }
    const shown = piece.kind === 'text' ? trimmed(pieces, at, dialect) : text.slice(piece.offset, piece.end)
    if (shown !== '') blocks.add({ kind: 'text', text: shown })
  }
  const { nodes, slots } = blocks.finish()
  const single = nodes.length === 1 && nodes[0]?.kind === 'output'
  return { text, dialect, single, tree: { nodes, slots }, mentions: findMentions(nodes) }
}
