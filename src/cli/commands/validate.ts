import type { Command } from '../args.ts'
import { CONFIG_FLAGS, load, sourceOf } from '../configuration.ts'
import { unaskedFaults } from '../composite-faults.ts'
import { connectionFaults } from '../connection-faults.ts'
import { EXIT } from '../exit.ts'
import { printFaults } from '../print-faults.ts'
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
    if (config) {
      const asked = args.on('connect')
        ? await connectionFaults({ config, ...(policies && { policies }) }, locate)
        : unaskedFaults(config, locate)
      faults.push(...asked)
    }
    const errors = printFaults(faults, args.on('json'))
    if (!args.on('json')) {
      const paint = paintFor(process.stdout)
      if (errors > 0) print(paint.bad(count(errors, 'error')))
      else if (config) print(`${paint.good('valid')}: ${config.name}, ${count(config.backends.length, 'backend')}`)
    }
    return errors > 0 ? EXIT.config : EXIT.ok
  },
}
