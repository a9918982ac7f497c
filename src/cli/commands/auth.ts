import { AUTH_NOTES } from '../auth/credentials.ts'
import { listVerb } from '../auth/list.ts'
import { loginVerb } from '../auth/login.ts'
import { logoutVerb } from '../auth/logout.ts'
import { withVerbs } from '../verbs.ts'

export const authCommand = withVerbs({
  name: 'auth',
  usage: '[FILE|DIR...] [BACKEND] [options]',
  summary: 'Sign in to backends that want to know the user, and see or end what was signed in to.',
  verbs: [listVerb, loginVerb, logoutVerb],
  notes: AUTH_NOTES,
  examples: ['vmcp auth list', 'vmcp auth login vmcp.yaml mail', 'vmcp auth logout mail'],
})
