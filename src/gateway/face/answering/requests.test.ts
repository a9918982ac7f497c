import { expect, test } from 'vitest'
import type { Context, Core } from '../../../model/call.ts'
import type { Catalogue } from '../../../model/catalogue.ts'
import { ANONYMOUS } from '../../../model/principal.ts'
import type { Gateway } from '../../gateway.ts'
import { answerRequest } from './requests.ts'

const FRESH = { ttlMs: 5000, cacheScope: 'public' } as const
const HINTS = { tools: FRESH, prompts: FRESH, resources: FRESH, templates: FRESH }

test('what a welcome says comes from the core, so that layers may change it', async () => {
  const asked: string[] = []
  const core: Partial<Core> = {
    catalogue: async (_context, occasion) => {
      asked.push(occasion)
      return { catalogue: { instructions: 'Be kind' } as Catalogue, connecting: true, hints: HINTS }
    },
  }
  const gateway = { core, identity: { name: 'vmcp', version: '1' } } as unknown as Gateway
  const answer = async (era: Context['era'], method: string, params = {}) => {
    const given = await answerRequest(gateway, method, params, { era, principal: ANONYMOUS } as Context, undefined)
    return given.kind === 'text' ? (JSON.parse(given.text) as unknown) : undefined
  }
  const hello = { protocolVersion: '2025-06-18', capabilities: {} }
  expect(await answer('legacy', 'initialize', hello)).toMatchObject({ instructions: 'Be kind' })
  expect(await answer('modern', 'server/discover')).toMatchObject({ instructions: 'Be kind', ttlMs: 1000 })
  expect(asked).toEqual(['welcome', 'welcome'])
  await expect(answer('legacy', 'initialize')).rejects.toMatchObject({ code: 'PARAMS_INVALID' })
})
