import { setImmediate as immediate } from 'node:timers/promises'
import type { Credentials, Ending } from '../../auth/outbound/credentials.ts'
import { listenForPages } from '../../gateway/face/http/pages.ts'
import type { Args, Command } from '../args.ts'
import { openBrowser } from '../browser.ts'
import { CliError, EXIT } from '../exit.ts'
import { nextSignal, SIGNAL_EXIT } from '../signals.ts'
import { print } from '../terminal.ts'
import { AUTH_NOTES, SUBJECT_FLAGS, subjectOf, targetOf, withCredentials } from './credentials.ts'

export const loginVerb: Command = {
  name: 'auth login',
  usage: '[FILE|DIR...] BACKEND [options]',
  summary: 'Sign in to a backend, in the browser.',
  flags: {
    ...SUBJECT_FLAGS,
    'no-browser': { type: 'boolean', help: 'only print the address to open' },
  },
  notes: AUTH_NOTES,
  examples: ['vmcp auth login vmcp.yaml mail', 'vmcp auth login mail --no-browser'],
  run: login,
}

async function login(args: Args): Promise<number> {
  const { backend, loaded } = await targetOf(args)
  if (loaded.config.tokenStore.provider === 'memory') {
    throw new CliError(
      EXIT.failed,
      'this configuration keeps tokens in the memory of the gateway, where a sign-in here would not reach it',
      'open the link that the gateway gives, or set outgoingAuth.store.provider: file',
    )
  }
  const stopped = nextSignal().then((signal) => {
    throw new CliError(SIGNAL_EXIT[signal], `stopped by ${signal}`)
  })
  let credentials: Credentials | undefined
  const { address, server } = await listenForPages(() => credentials?.pages)
  server.ref()
  try {
    return await withCredentials(loaded, address, async (opened) => {
      credentials = opened
      const { url, settled } = await opened.signIn(backend, subjectOf(args, loaded))
      print(`To sign in to ${backend.id}, open\n  ${url}`)
      if (!args.on('no-browser')) openBrowser(url)
      const ending = await Promise.race([settled, stopped])
      // The page that tells the user is on its way.
      await immediate()
      if (ending.outcome !== 'connected') throw new CliError(EXIT.failed, failureOf(ending))
      print(`signed in to ${backend.id}`)
      return EXIT.ok
    })
  } finally {
    server.close()
    server.closeAllConnections()
  }
}

function failureOf(ending: Exclude<Ending, { outcome: 'connected' }>): string {
  return ending.outcome === 'expired' ? 'nobody signed in within 10 minutes' : `nobody is signed in: ${ending.why}`
}
