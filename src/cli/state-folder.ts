import { homedir } from 'node:os'
import { join } from 'node:path'

/** Where the gateway keeps what it makes itself (contract 4). */
export function stateFolder(): string {
  const { XDG_STATE_HOME } = process.env
  return join(XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'vmcp')
}
