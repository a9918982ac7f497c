import type { Backend } from '../../backends/backend.ts'
import type { JsonObject } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'

/** SEP-2640. */
const SKILLS_EXTENSION = 'io.modelcontextprotocol/skills'

/** The settings with which a backend declares skills; `undefined`: it has none. */
export function skillsOf({ lists }: Pick<Backend, 'lists'>): JsonObject | undefined {
  const settings = lists?.extensions?.[SKILLS_EXTENSION]
  return isObject(settings) ? settings : undefined
}
