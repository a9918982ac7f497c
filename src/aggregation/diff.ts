import { isDeepStrictEqual } from 'node:util'
import type { Change } from '../model/call.ts'
import type { Catalogue, Entry } from '../model/catalogue.ts'

/** Which lists a client would find different: listed entries, their definitions and their order. Templates count as resources. */
export function diffCatalogues(before: Catalogue, after: Catalogue): Change {
  return {
    tools: differ(before.tools, after.tools),
    prompts: differ(before.prompts, after.prompts),
    resources: differ(before.resources, after.resources) || differ(before.templates, after.templates),
  }
}

function differ(before: ReadonlyMap<string, Entry>, after: ReadonlyMap<string, Entry>): boolean {
  if (before === after) return false
  const [old, now] = [listed(before), listed(after)]
  return (
    old.length !== now.length ||
    old.some(({ definition }, index) => !isDeepStrictEqual(definition, now[index]?.definition))
  )
}

const listed = (entries: ReadonlyMap<string, Entry>): Entry[] =>
  [...entries.values()].filter(({ visibility }) => visibility === 'listed')
