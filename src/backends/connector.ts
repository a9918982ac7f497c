import type { Endpoint } from '../model/backend.ts'
import { containerConnector } from './container.ts'
import { httpConnector } from './http/connector.ts'
import type { Connector } from './leg.ts'
import { sseConnector } from './sse/connector.ts'
import { openStdio } from './stdio/connector.ts'

export function createConnector(endpoint: Endpoint): Connector {
  switch (endpoint.kind) {
    case 'http':
      return httpConnector(endpoint)
    case 'stdio':
      return { open: (era, context, signal) => openStdio(endpoint, era, context, signal), close: async () => {} }
    case 'container':
      return containerConnector(endpoint)
    case 'sse':
      return sseConnector(endpoint)
  }
}
