import { configJsonSchema } from '../../config/emit/json-schema.ts'
import type { Command } from '../args.ts'
import { EXIT } from '../exit.ts'
import { printJson } from '../terminal.ts'

export const schemaCommand: Command = {
  name: 'schema',
  usage: '',
  summary: 'Print the JSON Schema of the configuration, for editors and CI.',
  flags: {},
  examples: [
    'vmcp schema > vmcp.schema.json',
    'echo "# yaml-language-server: \\$schema=./vmcp.schema.json" | cat - vmcp.yaml   (completion in VS Code)',
  ],
  run: async () => {
    printJson(configJsonSchema())
    return EXIT.ok
  },
}
