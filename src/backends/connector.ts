import type { Endpoint } from '../model/backend.ts'
import type { Credential } from '../model/credential.ts'
import { containerConnector } from './container.ts'
import { httpConnector } from './http/connector.ts'
import type { Connector } from './leg.ts'
import { sseConnector } from './sse/connector.ts'
import { openStdio } from './stdio/connector.ts'

/** `credential`: what HTTP servers are shown besides fixed headers. */
export function createConnector(endpoint: Endpoint, credential?: Credential): Connector {
  switch (endpoint.kind) {
    case 'http':
      return httpConnector(endpoint, credential)
    case 'stdio':
      return { open: (era, context, signal) => openStdio(endpoint, era, context, signal), close: async () => {} }
    case 'container':
      return containerConnector(endpoint, credential)
    case 'sse':
      return sseConnector(endpoint, credential)
  }
}
