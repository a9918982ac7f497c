import { formatFault } from '../../config/format.ts'
import type { Command } from '../args.ts'
import { CONFIG_FLAGS, load, sourceOf } from '../configuration.ts'
import { connectionFaults } from '../connection-faults.ts'
import { EXIT } from '../exit.ts'
import { count, paintFor, print } from '../terminal.ts'

export const validateCommand: Command = {
  name: 'validate',
  usage: '[FILE|DIR...] [options]',
  summary: 'Check a configuration: every fault with file, line, column and the way out.',
  flags: {
    ...CONFIG_FLAGS,
    connect: { type: 'boolean', help: 'also start the backends and check names against what they really offer' },
    json: { type: 'boolean', help: 'print the faults as a JSON list' },
  },
  notes: ['Starts nothing and contacts nobody without --connect. Errors exit with 3, warnings do not.'],
  examples: [
    'vmcp validate mcp.json',
    'vmcp validate deploy/ --group engineering',
    'vmcp validate vmcp.yaml --connect --json',
  ],
  run: async (args) => {
    const { config, faults: found, policies, locate } = await load(sourceOf(args))
    const faults = [...found]
    if (args.on('connect') && config)
      faults.push(...(await connectionFaults({ config, ...(policies && { policies }) }, locate)))
    const errors = faults.filter(({ severity }) => severity === 'error')
    if (args.on('json')) {
      const rows = faults.map(({ file, line, column, path, message, hint, severity }) => ({
        file,
        line,
        column,
        path,
        message,
        ...(hint !== undefined && { hint }),
        severity,
      }))
      print(JSON.stringify(rows, null, 2))
    } else {
      const paint = paintFor(process.stdout)
      for (const fault of faults) {
        print(fault.severity === 'error' ? formatFault(fault) : `${paint.warn('warning')} ${formatFault(fault)}`)
      }
      if (errors.length === 0 && config) {
        print(`${paint.good('valid')}: ${config.name}, ${count(config.backends.length, 'backend')}`)
      } else if (errors.length > 0) print(paint.bad(count(errors.length, 'error')))
    }
    return errors.length > 0 ? EXIT.config : EXIT.ok
  },
}
