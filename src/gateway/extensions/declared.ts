import { SKILLS_EXTENSION } from '../../aggregation/extensions.ts'
import type { Backend } from '../../backends/backend.ts'
import type { JsonObject } from '../../model/json.ts'
import { isObject } from '../../model/json.ts'

/** The settings with which a backend declares skills; `undefined`: it has none. */
export function skillsOf({ lists }: Pick<Backend, 'lists'>): JsonObject | undefined {
  const settings = lists?.extensions?.[SKILLS_EXTENSION]
  return isObject(settings) ? settings : undefined
}
