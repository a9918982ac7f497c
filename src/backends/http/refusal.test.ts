import { expect, test } from 'vitest'
import { HttpRefusal } from './refusal.ts'

const AT = 'http://host:8080'

test.each([
  [404, undefined, 'HTTP 404 at http://host:8080: there is no MCP endpoint at this path'],
  [
    401,
    undefined,
    'HTTP 401 at http://host:8080: the backend wants credentials (keys: headers of this backend, outgoingAuth)',
  ],
  [503, undefined, 'HTTP 503 at http://host:8080 (the log of the server may tell why)'],
  [307, undefined, 'HTTP 307 at http://host:8080: redirects are not followed'],
  [307, 'https://other.example/KEY?a=KEY', /not followed; it points to https:\/\/other\.example$/],
  [307, '/KEY/mcp/', /not followed; it points to another path of the same server/],
  [308, `${AT}/KEY/mcp/`, /not followed; it points to another path of the same server/],
  [302, 'http://', /not followed$/],
  [302, 'data:KEY', /not followed$/],
])('HTTP %s to %s', (status, location, message) => {
  const refusal = new HttpRefusal(status, AT, { location })
  expect(refusal.message).toMatch(message)
  expect(refusal.message).not.toContain('KEY')
  expect(refusal.status).toBe(status)
})
