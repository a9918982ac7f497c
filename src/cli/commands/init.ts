import type { Command } from '../args.ts'
import { usageError } from '../exit.ts'
import { init } from '../init/init.ts'

export const initCommand: Command = {
  name: 'init',
  usage: '[options]',
  summary: 'Write one mcp.json from the client configurations on this machine, after showing it and asking.',
  flags: {
    output: { type: 'string', short: 'o', value: 'FILE', help: 'the file to write, - for standard output (mcp.json)' },
    yes: { type: 'boolean', short: 'y', help: 'write without asking' },
  },
  notes: [
    'Reads the files of Claude Desktop, Claude Code, Cursor, VS Code, Windsurf, Zed and Gemini CLI, in the home folder',
    'and in the working folder. It never edits them. Servers that an existing output holds stay in it.',
  ],
  examples: ['vmcp init', 'vmcp init --yes --output team.json', 'vmcp init --output - | jq .mcpServers'],
  run: async (args) => {
    const [stray] = args.positionals
    if (stray !== undefined) throw usageError(`init takes no argument, found "${stray}"`, 'init')
    const output = args.text('output') ?? 'mcp.json'
    if (output === '') throw usageError('--output needs a file name', 'init')
    const { env, platform, stdin, stdout, stderr } = process
    return init({ output, yes: args.on('yes') }, { env, cwd: process.cwd(), platform, stdin, stdout, stderr })
  },
}
