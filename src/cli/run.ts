import type { Command } from './args.ts'
import { helpOf, parseCommand } from './args.ts'
import { authCommand } from './commands/auth.ts'
import { callCommand } from './commands/call.ts'
import { initCommand } from './commands/init.ts'
import { lockCommand } from './commands/lock.ts'
import { policyCommand } from './commands/policy.ts'
import { schemaCommand } from './commands/schema.ts'
import { serveCommand } from './commands/serve.ts'
import { toolsCommand } from './commands/tools.ts'
import { validateCommand } from './commands/validate.ts'
import { workflowCommand } from './commands/workflow.ts'
import { versionCommand } from './commands/version.ts'
import { GatewayError } from '../model/errors.ts'
import { CliError, EXIT, usageError } from './exit.ts'
import { identity } from '../gateway/identity.ts'
import { outliveReaders, print, printError } from './terminal.ts'
import { verbIn } from './verbs.ts'

const COMMANDS: readonly Command[] = [
  serveCommand,
  validateCommand,
  toolsCommand,
  callCommand,
  lockCommand,
  policyCommand,
  workflowCommand,
  authCommand,
  initCommand,
  schemaCommand,
  versionCommand,
]

/** Runs one command line. Resolves with the exit code; never throws. */
export async function run(argv: readonly string[]): Promise<number> {
  outliveReaders()
  try {
    return await dispatch(argv)
  } catch (error) {
    if (error instanceof GatewayError) {
      printError(`vmcp: ${error.message}`)
      return EXIT.failed
    }
    if (!(error instanceof CliError)) throw error
    printError(`vmcp: ${error.message}`)
    if (error.hint !== undefined) printError(`      ${error.hint}`)
    return error.exitCode
  }
}

async function dispatch(argv: readonly string[]): Promise<number> {
  const [first, ...rest] = argv
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    const command = COMMANDS.find(({ name }) => first === 'help' && name === rest[0])
    print(command ? helpOf(verbIn(command, rest.slice(1)) ?? command) : overview())
    return EXIT.ok
  }
  if (first === '--version' || first === '-v') {
    print(identity.version)
    return EXIT.ok
  }
  const command = COMMANDS.find(({ name }) => name === first)
  if (!command)
    throw usageError(`unknown command "${first}" (commands: ${COMMANDS.map(({ name }) => name).join(', ')})`)
  const options = rest.slice(0, rest.includes('--') ? rest.indexOf('--') : undefined)
  if (options.includes('--help') || options.includes('-h')) {
    print(helpOf(verbIn(command, options) ?? command))
    return EXIT.ok
  }
  if (options.includes('--version')) {
    print(identity.version)
    return EXIT.ok
  }
  return command.run(parseCommand(command, rest))
}

function overview(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length)) + 2
  return [
    'vmcp: one MCP endpoint for many MCP servers.\n',
    'Usage: vmcp COMMAND [FILE|DIR...] [options]\n',
    'Commands:',
    ...COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`),
    '',
    'FILE is what you have: an mcp.json of Claude, Cursor or VS Code, a vmcp YAML, or ToolHive manifests.',
    'Without one: vmcp.yaml, mcp.json or .mcp.json in the working folder.',
    '',
    'Exit codes: 0 success; 1 the operation failed; 2 wrong usage; 3 the configuration is invalid;',
    '130 and 143 after SIGINT and SIGTERM that had to cut work short.',
    '',
    'Examples:',
    '  vmcp serve mcp.json              one endpoint at http://127.0.0.1:4483/mcp',
    '  vmcp tools mcp.json              what clients would see',
    '  vmcp COMMAND --help              options and examples of a command',
  ].join('\n')
}
