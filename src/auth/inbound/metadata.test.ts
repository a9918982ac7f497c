import { expect, test } from 'vitest'
import { metadataPaths, metadataUrl, protectedResource } from './metadata.ts'

const ROOT = '/.well-known/oauth-protected-resource'

test.each([
  ['https://mcp.example/mcp', [ROOT, `${ROOT}/mcp`], `https://mcp.example${ROOT}/mcp`],
  ['https://mcp.example:8443/team/mcp', [ROOT, `${ROOT}/team/mcp`], `https://mcp.example:8443${ROOT}/team/mcp`],
  ['https://mcp.example', [ROOT], `https://mcp.example${ROOT}`],
  ['https://mcp.example/', [ROOT], `https://mcp.example${ROOT}`],
  ['https://mcp.example/mcp?tenant=a', [ROOT, `${ROOT}/mcp`], `https://mcp.example${ROOT}/mcp?tenant=a`],
])('the metadata of %s stands at the root and below its path', (resource, paths, url) => {
  expect(metadataPaths(resource)).toEqual(paths)
  expect(metadataUrl(resource)).toBe(url)
})

test('the resource is named letter by letter', () => {
  const resource = 'https://MCP.example:443/mcp/'
  expect(protectedResource(resource, 'engineering', ['https://id.example'], ['openid'])).toEqual({
    resource,
    authorization_servers: ['https://id.example'],
    scopes_supported: ['openid'],
    bearer_methods_supported: ['header'],
    resource_name: 'engineering',
  })
})
