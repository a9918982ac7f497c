import type { Command } from '../args.ts'
import { EXIT } from '../exit.ts'
import { identity } from '../../gateway/identity.ts'
import { print } from '../terminal.ts'

export const versionCommand: Command = {
  name: 'version',
  usage: '',
  summary: 'Print the version.',
  flags: {},
  examples: ['vmcp version'],
  run: async () => {
    print(identity.version)
    return EXIT.ok
  },
}
