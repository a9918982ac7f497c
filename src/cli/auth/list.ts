import { type Args, type Command, JSON_FLAG } from '../args.ts'
import { CONFIG_FLAGS, loadOrExit, sourceOf } from '../configuration.ts'
import { EXIT } from '../exit.ts'
import { paintFor, print, printJson } from '../terminal.ts'
import { signedInBackends, withCredentials } from './credentials.ts'

export const listVerb: Command = {
  name: 'auth list',
  usage: '[FILE|DIR...] [options]',
  summary: 'Show who has signed in where.',
  flags: { ...CONFIG_FLAGS, ...JSON_FLAG },
  examples: ['vmcp auth list', 'vmcp auth list vmcp.yaml --json'],
  run: list,
}

async function list(args: Args): Promise<number> {
  const loaded = await loadOrExit(sourceOf(args))
  return withCredentials(loaded, undefined, async (credentials) => {
    const accounts = await credentials.accounts()
    if (args.on('json')) {
      printJson(accounts)
      return EXIT.ok
    }
    const paint = paintFor(process.stdout)
    for (const { backend, subject, issuer, scopes, expiresAt, canRefresh } of accounts) {
      const ends = expiresAt === undefined ? '' : `, until ${new Date(expiresAt).toISOString()}`
      const renewed = canRefresh ? ', renewed by itself' : ''
      print(`${paint.bold(backend)}  ${subject}  at ${issuer}  ${scopes.join(' ')}${ends}${renewed}`)
    }
    for (const { id } of signedInBackends(loaded)) {
      if (!accounts.some(({ backend }) => backend === id)) print(`${paint.bold(id)}  nobody has signed in`)
    }
    if (accounts.length === 0 && signedInBackends(loaded).length === 0) print('no backend asks its users to sign in')
    return EXIT.ok
  })
}
