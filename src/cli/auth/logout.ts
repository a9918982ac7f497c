import type { Args, Command } from '../args.ts'
import { EXIT } from '../exit.ts'
import { print, printError } from '../terminal.ts'
import { AUTH_NOTES, SUBJECT_FLAGS, subjectOf, targetOf, withCredentials } from './credentials.ts'

export const logoutVerb: Command = {
  name: 'auth logout',
  usage: '[FILE|DIR...] BACKEND [options]',
  summary: 'Forget a sign-in, here and at the backend.',
  flags: SUBJECT_FLAGS,
  notes: AUTH_NOTES,
  examples: ['vmcp auth logout mail', 'vmcp auth logout vmcp.yaml mail'],
  run: logout,
}

async function logout(args: Args): Promise<number> {
  const { backend, loaded } = await targetOf(args)
  return withCredentials(loaded, undefined, async (credentials) => {
    const known = await credentials.signOut(backend, subjectOf(args, loaded))
    if (known) print(`signed out of ${backend.id}`)
    else printError(`nobody was signed in to ${backend.id}`)
    return known ? EXIT.ok : EXIT.failed
  })
}
