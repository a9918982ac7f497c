import type { Endpoint } from '../model/backend.ts'
import { GatewayError } from '../model/errors.ts'
import { containerConnector } from './container.ts'
import { httpConnector } from './http/connector.ts'
import type { Connector } from './leg.ts'
import { StdioLeg } from './stdio/leg.ts'

export function createConnector(endpoint: Endpoint): Connector {
  switch (endpoint.kind) {
    case 'http':
      return httpConnector(endpoint)
    case 'stdio':
      return { open: (era, context, signal) => StdioLeg.open(endpoint, era, context, signal), close: async () => {} }
    case 'container':
      return containerConnector(endpoint)
    case 'sse':
      return {
        open: async () => {
          throw new GatewayError(
            'BACKEND_UNREACHABLE',
            'HTTP+SSE of 2024-11-05 is not carried by this version (does the server offer streamable HTTP?)',
          )
        },
        close: async () => {},
      }
  }
}
