import type { Layer } from '../../model/call.ts'
import type { CacheHint, ListKind } from '../../model/catalogue.ts'
import type { PolicyGate } from '../policy/gate.ts'

/** Shows each caller what it may use. What is called is judged where its entry is known: in the dispatcher. */
export function authorizeLayer(gate: PolicyGate): Layer {
  return (inner) => ({
    ...inner,
    async catalogue(caller, occasion) {
      const { catalogue, hints, ...sight } = await inner.catalogue(caller, occasion)
      return { ...sight, catalogue: await gate.view(catalogue, caller.principal), hints: ownHints(hints) }
    },
  })
}

/** No cache may show one caller's list to another. */
function ownHints(hints: Readonly<Record<ListKind, CacheHint>>): Readonly<Record<ListKind, CacheHint>> {
  const own = ({ ttlMs }: CacheHint): CacheHint => ({ ttlMs, cacheScope: 'private' })
  const { tools, prompts, resources, templates } = hints
  return { tools: own(tools), prompts: own(prompts), resources: own(resources), templates: own(templates) }
}
