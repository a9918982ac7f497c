import type { Command } from '../args.ts'
import { CONFIG_FLAGS, load, sourceOf } from '../configuration.ts'
import { unaskedFaults, unreferencedFaults } from '../workflow/faults.ts'
import { connectionFaults } from '../connection-faults.ts'
import { reportFaults } from '../report-faults.ts'
import { count } from '../terminal.ts'

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
    const loaded = await load(sourceOf(args))
    const { config, faults: found, policies, locate } = loaded
    const faults = [...found]
    if (config) {
      const asked = args.on('connect')
        ? await connectionFaults({ config, ...(policies && { policies }) }, locate)
        : unaskedFaults(config, locate)
      faults.push(...asked)
    }
    faults.push(...unreferencedFaults(loaded))
    return reportFaults(args, faults, ({ good }) =>
      config ? `${good('valid')}: ${config.name}, ${count(config.backends.length, 'backend')}` : '',
    )
  },
}
