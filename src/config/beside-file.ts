import { dirname, resolve } from 'node:path'
import { type LocatedMap, positionOf, type Step } from './positions.ts'

/** The absolute path of a file: relative ones begin at the folder of the file in which `steps` stand. */
export function besideFile(root: LocatedMap, steps: readonly Step[], file: string, cwd: string): string {
  return resolve(dirname(resolve(cwd, positionOf(root, steps).file)), file)
}
