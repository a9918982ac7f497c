import type { Core, Layer } from '../model/call.ts'

/** Stacks layers around a core, the first outermost. Done once per generation, never per call. */
export function compose(core: Core, layers: readonly Layer[]): Core {
  return layers.reduceRight((inner, layer) => layer(inner), core)
}
