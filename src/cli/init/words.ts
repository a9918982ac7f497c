import type { Machine } from '../clients.ts'
import { plain, table } from '../terminal.ts'
import { shortPath } from './preview.ts'
import type { LeftOut, Scan } from './scan.ts'

const ENDPOINT = 'http://127.0.0.1:4483/mcp'

const EXAMPLE = JSON.stringify(
  {
    mcpServers: {
      files: { command: 'npx', args: ['-y', '@modelcontextprotocol/server-filesystem', '.'] },
      remote: { url: 'https://mcp.example.com/mcp' },
    },
  },
  null,
  2,
)

export function nothingFound({ looked }: Scan, leftOut: readonly LeftOut[], machine: Machine): string {
  const rows = looked.map(({ client, file }) => [`  ${client.title}`, shortPath(file, machine)])
  const unusable = leftOut.map(({ name, client, why }) => [`  ${plain(name)}`, client.title, plain(why)])
  return [
    'vmcp: no MCP servers in the client configurations of this machine',
    ...(unusable.length > 0 ? ['', 'Left out:', table(unusable)] : []),
    '',
    'Looked at:',
    table(rows),
    '',
    'Write a file mcp.json such as this one, then run vmcp serve mcp.json:',
    EXAMPLE,
  ].join('\n')
}

/** The next step, and how to connect a client. `argument` is the file as the user named it. */
export const finished = (file: string, argument: string): string =>
  [
    `Wrote ${file}. It may hold secrets: keep it out of version control.`,
    '',
    'Next:',
    `  vmcp serve ${/\s/u.test(argument) ? `"${argument}"` : argument}`,
    '',
    `Then connect a client to ${ENDPOINT}, for example:`,
    `  Claude Code  claude mcp add --transport http vmcp ${ENDPOINT}`,
    `  Cursor       ~/.cursor/mcp.json: ${JSON.stringify({ mcpServers: { vmcp: { url: ENDPOINT } } })}`,
    'and take the servers above out of that client, or it starts them a second time.',
  ].join('\n')
