import { isResource } from '../model/issuer.ts'
import { authoredIssuers } from './authored-issuers.ts'
import { bothSpellings } from './both-spellings.ts'
import type { CheckContext } from './check-context.ts'

const AT = ['incomingAuth']
const NO_RESOURCE = 'not the address of a resource: an absolute URL without a fragment is expected'

/** Contradictions in who may connect. What issuers themselves lack is found when they are read. */
export function incomingAuth(context: CheckContext): void {
  const { config, error, keyError } = context
  const { incomingAuth: incoming, publicUrl } = config
  if (!incoming) return
  if (incoming.type === 'oidc' && incoming.oidc === undefined)
    error([...AT, 'type'], 'the type "oidc" needs incomingAuth.oidc')
  for (const key of ['oidc', 'local'] as const) {
    if (incoming[key] !== undefined && incoming.type !== key) {
      keyError([...AT, key], `incomingAuth.${key} contradicts the type "${incoming.type}"`, `write type: ${key}`)
    }
  }
  if (incoming.type === 'oidc' && publicUrl !== undefined && !isResource(publicUrl)) error(['publicUrl'], NO_RESOURCE)
  issuers(context)
  if (incoming.authz?.type === 'cedar' && (incoming.authz.policies ?? []).length === 0) {
    error([...AT, 'authz'], 'the type "cedar" needs at least one policy', 'without one nothing is allowed')
  }
}

function issuers({ config, error, keyError }: CheckContext): void {
  for (const { block, steps } of authoredIssuers(config)) {
    if (block.resource !== undefined && !isResource(block.resource)) error([...steps, 'resource'], NO_RESOURCE)
    if (block.resource !== undefined && config.publicUrl !== undefined && block.resource !== config.publicUrl) {
      error(
        [...steps, 'resource'],
        'resource and publicUrl are two spellings of one thing and differ',
        'keep publicUrl',
      )
    }
    if (block.caBundlePath !== undefined && !block.caBundlePath.startsWith('/')) {
      error([...steps, 'caBundlePath'], 'expected an absolute path')
    }
    bothSpellings(block, steps, keyError)
  }
}
