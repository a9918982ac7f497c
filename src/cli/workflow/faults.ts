import type { Fault } from '../../config/faults.ts'
import { workflowFault } from '../../config/faults.ts'
import type { GatewayConfig } from '../../config/gateway-config.ts'
import type { LoadResult } from '../../config/load.ts'
import type { Composite } from '../../gateway/workflows/compiled-composites.ts'
import { uncheckedComposites } from './composites.ts'

type Definitions = Pick<GatewayConfig, 'compositeTools'>

/** What is wrong with composite tools whatever the backends offer. Nobody is asked. */
export function unaskedFaults(config: GatewayConfig, locate: LoadResult['locate']): Fault[] {
  return compositeFaults(config, uncheckedComposites(config), locate)
}

/** The same for definitions that nothing refers to, beside those that are served. */
export function unreferencedFaults({ config, unreferenced }: Pick<LoadResult, 'config' | 'unreferenced'>): Fault[] {
  const { compositeTools, faults, locate } = unreferenced
  if (!config || compositeTools.length === 0) return [...faults]
  const names = new Set(compositeTools.map(({ name }) => name))
  const all = uncheckedComposites({ ...config, compositeTools: [...config.compositeTools, ...compositeTools] })
  const meant = all.filter(({ workflow }) => names.has(workflow))
  return [...faults, ...compositeFaults({ compositeTools }, meant, locate)]
}

/** What was found wrong with composite tools, where the configuration has them. */
export function compositeFaults(
  { compositeTools }: Definitions,
  composites: Iterable<Composite>,
  locate: LoadResult['locate'],
): Fault[] {
  const faults = [...composites].flatMap(({ workflow, compiled }) => {
    const index = compositeTools.findIndex(({ name }) => name === workflow)
    return compiled.faults.map(({ path, offset = 0, message, hint, severity }) => {
      const at = locate(['compositeTools', index, ...path])
      // How a text is folded in the file only its reader knows.
      return workflowFault(
        at,
        offset === 0 ? message : `${message} (character ${offset + 1} of the text)`,
        hint,
        severity,
      )
    })
  })
  return faults.toSorted((a, b) => a.file.localeCompare(b.file) || a.line - b.line || a.column - b.column)
}
