import type { Context } from '../../model/call.ts'
import type { Principal } from '../../model/principal.ts'
import { profileOf } from '../../protocol/capabilities.ts'
import { LATEST_MODERN } from '../../protocol/revisions.ts'
import { callContext } from '../call-context.ts'
import { plain, printError } from '../terminal.ts'

/** Of a call by the author of a composite tool: a client that takes every question, and is told how far it is. */
export const contextOf = (principal: Principal, ask: Context['ask']): Context =>
  callContext(principal, {
    profile: askable,
    ask,
    emit: ({ method, params }) => {
      if (method !== 'notifications/progress') return
      const { progress, total, message } = params
      // Parts of a loop say nothing.
      if (typeof message === 'string') printError(`[${shown(progress)}/${shown(total)}] ${plain(message)}`)
    },
  })

const askable = profileOf({ elicitation: { form: {}, url: {} } }, LATEST_MODERN)

const shown = (count: unknown): string => (typeof count === 'number' ? String(Math.floor(count)) : '?')
