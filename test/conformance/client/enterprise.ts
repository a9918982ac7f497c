import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

import { decodeJwt } from 'jose'

import { createFileStore } from '../../../src/auth/outbound/authorization/store/file-store.ts'
import { withLogin } from '../../../src/auth/outbound/authorization/store/store.ts'
import { createVaultKeys } from '../../../src/auth/outbound/authorization/store/vault-keys.ts'
import type { JsonObject } from '../../../src/model/json.ts'
import { identityKey } from '../../../src/model/principal.ts'
import { Secret } from '../../../src/model/secret.ts'
import { signingKey } from '../../support/oidc/signing.ts'
import { textIn } from './context.ts'
import { BACKEND, type Order, type Session } from './session.ts'

const GATEWAY = 'https://gateway.example/mcp'
const CLIENT = 'conformance-client'

/**
 * The suite begins where its user has signed in at the identity provider, which knows neither a login page nor keys: the
 * ID token that it hands over is put where a sign-in at the connect page would have put it, and the user's token for the
 * gateway is signed here.
 */
export async function enterprise({ context, url }: Order, folder: string): Promise<Session> {
  const issuer = textIn(context, 'idp_issuer')
  const idToken = textIn(context, 'idp_id_token')
  const { sub = '', exp = 0 } = decodeJwt(idToken)
  await signedIn(folder, {
    subject: identityKey(issuer, sub, CLIENT),
    issuer,
    idToken: new Secret(idToken),
    expiresAt: exp * 1000,
  })
  const key = await signingKey('ES256')
  const keys = await serveKeys([key.publicJwk])
  const target = await targetOf(url)
  return {
    token: await key.mint({ iss: issuer, sub, aud: GATEWAY, client_id: CLIENT, exp }),
    place: { stateFolder: folder },
    config: {
      publicUrl: GATEWAY,
      incomingAuth: {
        type: 'oidc',
        oidc: {
          issuer,
          clientId: textIn(context, 'idp_client_id'),
          jwksUrl: keys,
          insecureAllowHttp: true,
          jwksAllowPrivateIp: true,
        },
      },
      outgoingAuth: {
        backends: {
          [BACKEND]: {
            type: 'xaa',
            xaa: {
              idpTokenUrl: textIn(context, 'idp_token_endpoint'),
              idpClientId: textIn(context, 'idp_client_id'),
              targetTokenUrl: target.tokenUrl,
              targetClientId: textIn(context, 'client_id'),
              targetClientSecret: textIn(context, 'client_secret'),
              targetAudience: target.issuer,
              targetResource: url,
            },
          },
        },
      },
    },
  }
}

async function signedIn(folder: string, login: Omit<Parameters<typeof withLogin>[1], 'backend'>): Promise<void> {
  const store = createFileStore(join(folder, 'credentials'), createVaultKeys([], join(folder, 'sealing-key')))
  await store.update((state) => withLogin(state, { backend: BACKEND, ...login }))
  store.close()
}

async function serveKeys(keys: readonly object[]): Promise<string> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys }))
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  server.unref()
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`
}

/** What an operator reads up before he writes it into the configuration. */
async function targetOf(url: string): Promise<{ issuer: string; tokenUrl: string }> {
  const resource = await read(new URL('/.well-known/oauth-protected-resource/mcp', url))
  const [issuer = ''] = resource['authorization_servers'] as string[]
  const server = await read(new URL('/.well-known/oauth-authorization-server', issuer))
  return { issuer, tokenUrl: textIn(server, 'token_endpoint') }
}

const read = async (url: URL): Promise<JsonObject> => (await (await fetch(url)).json()) as JsonObject
