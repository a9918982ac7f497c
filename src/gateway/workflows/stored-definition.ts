import { type AuthoredCompositeTool, compositeToolSchema } from '../../config/schema/composite.ts'
import { isObject, type JsonValue } from '../../model/json.ts'
import { calleesOf } from '../../workflow/compile/callees.ts'
import type { World } from '../../workflow/compile/world.ts'

/**
 * Runs outlive the version of the gateway that began them: what lies in stores is still read after a change of
 * `compositeToolSchema`. One that takes away or renames a key needs a format of its own, and this one a way into it.
 */
const FORMAT = 1

interface StoredDefinition {
  readonly tool: AuthoredCompositeTool
  /** Those that it runs, directly or not, and itself where it is run. */
  readonly within: ReadonlyMap<string, AuthoredCompositeTool>
}

/** A definition as it lies in the store: with all that it runs. */
export function storedDefinition(
  tool: AuthoredCompositeTool,
  definitions: ReadonlyMap<string, AuthoredCompositeTool>,
): JsonValue {
  const within = new Map<string, AuthoredCompositeTool>()
  const collect = (caller: AuthoredCompositeTool): void => {
    for (const name of calleesOf(caller)) {
      const inner = within.has(name) ? undefined : definitions.get(name)
      if (!inner) continue
      within.set(inner.name, inner)
      collect(inner)
    }
  }
  collect(tool)
  return { format: FORMAT, tool, within: [...within.values()] } as unknown as JsonValue
}

/** `fault`: why it cannot be read: another version of the gateway has stored it. */
export function readDefinition(stored: JsonValue): StoredDefinition | { readonly fault: string } {
  const format = isObject(stored) ? stored['format'] : undefined
  if (!isObject(stored) || format !== FORMAT) return unreadable(`it has format ${JSON.stringify(format ?? null)}`)
  const tool = compositeToolSchema.safeParse(stored['tool'])
  if (!tool.success) return unreadable(tool.error.issues[0]?.message)
  const within = compositeToolSchema.array().safeParse(stored['within'])
  if (!within.success) return unreadable(within.error.issues[0]?.message)
  return { tool: tool.data, within: new Map(within.data.map((one) => [one.name, one])) }
}

const unreadable = (why = 'it cannot be read') => ({
  fault: `its definition was stored by another version of the gateway: ${why}`,
})

/** What a definition can run. */
export const workflowsOf = (
  definitions: ReadonlyMap<string, AuthoredCompositeTool>,
): Pick<World, 'workflow' | 'workflows'> => ({
  workflow: (name) => definitions.get(name),
  workflows: () => definitions.keys(),
})
