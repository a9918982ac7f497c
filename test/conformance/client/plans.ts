import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { JsonObject } from '../../../src/model/json.ts'
import { textIn } from './context.ts'
import { enterprise } from './enterprise.ts'
import { BACKEND, type Order, type Session } from './session.ts'

/** How the gateway comes to a token for the suite's server, and what becomes of the call that needs one. */
export interface Plan {
  /** `served`: the tool answers. `refused`: the user's sign-in fails. `denied`: it succeeds and does not help. */
  ends: 'served' | 'refused' | 'denied'
  /** `folder`: lasts as long as the session. */
  session: (order: Order, folder: string) => Session | Promise<Session>
}

const shows = (strategy: JsonObject): Session => ({
  config: { outgoingAuth: { backends: { [BACKEND]: strategy } } },
})

const signsIn = (block: JsonObject = {}): Session => shows({ type: 'authorization_code', authorizationCode: block })

const clientIn = ({ context }: Order): JsonObject => ({
  clientId: textIn(context, 'client_id'),
  clientSecret: textIn(context, 'client_secret'),
})

const SERVED: Plan = { ends: 'served', session: () => signsIn() }
const REFUSED: Plan = { ends: 'refused', session: () => signsIn() }
const DENIED: Plan = { ends: 'denied', session: () => signsIn() }

/** Of the address under which the suite knows a client's document. Nobody is there. */
export const DOCUMENT_HOST = 'https://conformance-test.local'

/** Another way through `auth/basic-cimd`. */
export const OWN_DOCUMENT = 'auth/basic-cimd, by its own document'

/** By scenario. */
export const PLANS: Readonly<Record<string, Plan>> = {
  'auth/metadata-default': SERVED,
  'auth/metadata-var1': SERVED,
  'auth/metadata-var2': SERVED,
  'auth/metadata-var3': SERVED,
  // A document that the operator has put somewhere is a configured client.
  'auth/basic-cimd': {
    ends: 'served',
    session: () => signsIn({ clientId: `${DOCUMENT_HOST}/client-metadata.json` }),
  },
  [OWN_DOCUMENT]: {
    ends: 'served',
    session: () => ({ ...signsIn(), publicOrigin: DOCUMENT_HOST }),
  },
  'auth/scope-from-www-authenticate': SERVED,
  'auth/scope-from-scopes-supported': SERVED,
  'auth/scope-omitted-when-undefined': SERVED,
  'auth/scope-step-up': SERVED,
  'auth/scope-retry-limit': DENIED,
  'auth/token-endpoint-auth-basic': SERVED,
  'auth/token-endpoint-auth-post': SERVED,
  'auth/token-endpoint-auth-none': SERVED,
  'auth/pre-registration': { ends: 'served', session: (order) => signsIn(clientIn(order)) },
  'auth/resource-mismatch': REFUSED,
  'auth/offline-access-scope': SERVED,
  'auth/offline-access-not-supported': SERVED,
  'auth/authorization-server-migration': SERVED,
  'auth/iss-supported': SERVED,
  'auth/iss-not-advertised': SERVED,
  'auth/iss-supported-missing': REFUSED,
  'auth/iss-wrong-issuer': REFUSED,
  'auth/iss-unexpected': REFUSED,
  'auth/iss-normalized': REFUSED,
  'auth/metadata-issuer-mismatch': REFUSED,
  'auth/2025-03-26-oauth-metadata-backcompat': SERVED,
  'auth/client-credentials-basic': {
    ends: 'served',
    session: (order) => shows({ type: 'client_credentials', clientCredentials: clientIn(order) }),
  },
  'auth/client-credentials-jwt': {
    ends: 'served',
    async session({ context }, folder) {
      const clientId = textIn(context, 'client_id')
      const privateKeyFile = join(folder, 'key.pem')
      await writeFile(privateKeyFile, textIn(context, 'private_key_pem'))
      return shows({ type: 'client_credentials', clientCredentials: { clientId, privateKeyFile } })
    },
  },
  'auth/enterprise-managed-authorization': { ends: 'served', session: enterprise },
}
