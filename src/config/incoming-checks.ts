import { isResource } from '../model/issuer.ts'
import { isLoopbackUrl } from '../model/loopback.ts'
import { type AuthoredIssuer, authoredIssuers } from './authored-issuers.ts'
import { bothSpellings } from './both-spellings.ts'
import type { CheckContext } from './check-context.ts'

const AT = ['incomingAuth']
const NO_RESOURCE = 'not the address of a resource: an absolute URL without a fragment is expected'

/** Contradictions in who may connect. What issuers themselves lack is found when they are read. */
export function incomingAuth(context: CheckContext): void {
  const { config, error, keyError } = context
  const { incomingAuth: incoming, publicUrl } = config
  if (publicUrl !== undefined && !isResource(publicUrl)) error(['publicUrl'], NO_RESOURCE)
  if (!incoming) return
  if (incoming.type === 'oidc' && incoming.oidc === undefined)
    error([...AT, 'type'], 'the type "oidc" needs incomingAuth.oidc')
  for (const key of ['oidc', 'local'] as const) {
    if (incoming[key] !== undefined && incoming.type !== key) {
      keyError([...AT, key], `incomingAuth.${key} contradicts the type "${incoming.type}"`, `write type: ${key}`)
    }
  }
  issuers(context)
  if (incoming.authz?.type === 'cedar' && (incoming.authz.policies ?? []).length === 0) {
    error([...AT, 'authz'], 'the type "cedar" needs at least one policy', 'without one nothing is allowed')
  }
  for (const key of ['policies', 'trialPolicies'] as const) {
    if (incoming.authz?.type !== 'none' || !incoming.authz[key]?.length) continue
    keyError(
      [...AT, 'authz', key],
      `${key} contradict the type "none": everything would be allowed`,
      'write type: cedar',
    )
  }
}

function issuers({ config, error, keyError }: CheckContext): void {
  const prefixes: string[] = []
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
    for (const key of addressKeys(block)) {
      const fault = addressFault(block[key] ?? '', block)
      if (fault) error([...steps, key], ...fault)
    }
    const { subjectPrefix: prefix = '' } = block
    // Equal ones are told when issuers are compared; one issuer may have none.
    const other = prefixes.find((one) => one !== prefix && (one.startsWith(prefix) || prefix.startsWith(one)))
    if (prefix !== '') {
      if (other !== undefined) {
        const message = `of the prefixes "${prefix}" and "${other}" one begins the other: users would be taken for those of another issuer, and refused`
        error([...steps, 'subjectPrefix'], message, 'end each with a character of its own, such as ":"')
      }
      prefixes.push(prefix)
    }
    bothSpellings(block, steps, keyError)
  }
}

/** What is asked of an issuer stands there. Its name is only a name where nothing has to be found from it. */
function addressKeys(block: AuthoredIssuer): readonly ('issuer' | 'jwksUrl' | 'introspectionUrl')[] {
  const given = (['jwksUrl', 'introspectionUrl'] as const).filter((key) => block[key] !== undefined)
  // One that is no URL is told when issuers are compared.
  return given.length > 0 || !URL.canParse(block.issuer) ? given : ['issuer']
}

/** Why nothing will be fetched from an address, so that no token could be checked; with the way out. */
function addressFault(
  text: string,
  { insecureAllowHttp, jwksAllowPrivateIp }: AuthoredIssuer,
): [string, string] | undefined {
  const url = URL.parse(text)
  if (!url || !['http:', 'https:'].includes(url.protocol))
    return ['the address is not a URL that begins with https://', 'write https://HOST/PATH']
  if (url.username !== '' || url.password !== '')
    return ['credentials in a URL', 'write them as clientId and clientSecretEnv']
  if (url.protocol === 'http:' && !insecureAllowHttp) {
    return [
      'plain http: whoever is in between could let anybody in, so no token would be accepted',
      'use https, or insecureAllowHttp: true where nobody is in between',
    ]
  }
  if (isLoopbackUrl(text) && !jwksAllowPrivateIp) {
    return [
      `${url.host} is this machine, where nothing is fetched from, so no token would be accepted`,
      'set jwksAllowPrivateIp: true',
    ]
  }
  return undefined
}
