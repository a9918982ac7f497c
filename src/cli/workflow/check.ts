import type { Args } from '../args.ts'
import { compositeFaults } from '../composite-faults.ts'
import { EXIT } from '../exit.ts'
import { printFaults } from '../print-faults.ts'
import { withGateway } from '../session.ts'
import { count, paintFor, print } from '../terminal.ts'
import { compositesIn, loadWorkflows, namedBy, pick, uncheckedComposites } from './subject.ts'

/** `vmcp workflow check`: everything that is wrong with composite tools, where it stands in the files. */
export async function checkWorkflows(positionals: readonly string[], args: Args): Promise<number> {
  const { source, name } = namedBy(args, positionals, 'name')
  const loaded = await loadWorkflows(source)
  const { config, locate } = loaded
  const all = args.on('offline') ? uncheckedComposites(config) : await withGateway(loaded, compositesIn)
  const meant = name === undefined ? all : [pick(all, name)]
  const faults = compositeFaults(config, meant, locate)
  const errors = printFaults(faults, args.on('json'))
  if (!args.on('json')) {
    const paint = paintFor(process.stdout)
    if (errors > 0) print(paint.bad(count(errors, 'error')))
    else print(`${paint.good('valid')}: ${meant.map(({ workflow }) => workflow).join(', ')}`)
  }
  return errors > 0 ? EXIT.config : EXIT.ok
}
