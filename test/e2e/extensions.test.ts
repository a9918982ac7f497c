import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterEach, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/model/json.ts'
import { startFixture } from '../conformance/setups.ts'
import type { TestGateway } from '../support/gateway.ts'
import { startGateway } from '../support/gateway.ts'
import type { HttpBackend, HttpBackendOptions } from '../support/http-backend.ts'
import { startHttpBackend } from '../support/http-backend.ts'
import { legacyWire, modernRequest, resultOf } from '../support/wire.ts'

const SKILLS = 'io.modelcontextprotocol/skills'
const UI = 'io.modelcontextprotocol/ui'

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

async function backend(options: HttpBackendOptions): Promise<HttpBackend> {
  const started = await startHttpBackend({ tools: [], ...options })
  open.push(() => started.close())
  return started
}

async function gatewayOf(backends: JsonObject[]): Promise<TestGateway> {
  const gateway = await startGateway({ backends })
  open.push(() => gateway.close())
  return gateway
}

const skill = (name: string, owner: string): JsonObject => ({
  uri: `skill://${name}/SKILL.md`,
  frontmatter: { name, description: owner },
  resources: [{ uri: `skill://${name}/SKILL.md`, digest: 'sha256:0', size: 1 }],
})

/** A server with skills, which it does not list among its resources. */
function skilled(owner: string, names: string[], settings: JsonObject = {}, more: HttpBackendOptions = {}) {
  const skills = names.map((name) => skill(name, owner))
  const absent = { code: -32602, message: 'unknown' }
  return backend({
    name: owner,
    era: 'modern',
    templates: [],
    capabilities: { extensions: { [SKILLS]: settings } },
    methods: {
      'skills/list': ({ params }) =>
        params['cursor'] === undefined && skills.length > 1
          ? { skills: skills.slice(0, 1), nextCursor: 'more', ttlMs: 9000, cacheScope: 'public' }
          : { skills: skills.slice(skills.length > 1 ? 1 : 0), ttlMs: 9000, cacheScope: 'public' },
      'skills/get': ({ params }) => {
        const found = skills.find(({ uri }) => uri === params['uri'])
        if (!found) throw absent
        return { skill: found, ttlMs: 9000, cacheScope: 'public' }
      },
      'resources/directory/read': ({ params }) => {
        const { uri } = params as { uri: string }
        if (!names.includes(uri.slice('skill://'.length))) throw absent
        return { resources: [{ uri: `${uri}/${owner}`, name: owner }] }
      },
      'resources/read': ({ params }) => {
        if (!skills.some(({ uri }) => uri === params['uri'])) throw absent
        return { contents: [{ uri: params['uri'], text: owner }] }
      },
    },
    ...more,
  })
}

describe('skills', () => {
  test('of all backends are one list; of equal URIs the first backend’s counts, in every method', async () => {
    const [one, two] = [await skilled('one', ['a', 'b']), await skilled('two', ['b', 'c'], { directoryRead: true })]
    const { url } = await gatewayOf([
      { name: 'one', url: one.url },
      { name: 'two', url: two.url },
      { name: 'none', url: (await backend({ era: 'legacy' })).url },
    ])
    const listed = resultOf(await modernRequest(url, 1, 'skills/list'))
    expect(listed).toMatchObject({ resultType: 'complete', ttlMs: 9000, cacheScope: 'public' })
    const owners = (listed['skills'] as { frontmatter: { name: string; description: string } }[]).map(
      ({ frontmatter }) => `${frontmatter.name} of ${frontmatter.description}`,
    )
    expect(owners).toEqual(['a of one', 'b of one', 'c of two'])
    for (const [name, owner] of [
      ['b', 'one'],
      ['c', 'two'],
    ] as const) {
      const uri = `skill://${name}/SKILL.md`
      const got = resultOf(await modernRequest(url, 2, 'skills/get', { uri }))
      expect(got).toMatchObject({ skill: { frontmatter: { description: owner } }, ttlMs: 9000 })
      const read = resultOf(await modernRequest(url, 3, 'resources/read', { uri }))
      expect(read).toMatchObject({ contents: [{ text: owner }] })
    }
  })

  test('their files can be read by who has not listed them', async () => {
    const [one, two] = [await skilled('one', ['a']), await skilled('two', ['c'])]
    const { url } = await gatewayOf([
      { name: 'one', url: one.url },
      { name: 'two', url: two.url },
    ])
    await modernRequest(url, 1, 'tools/list')
    const read = resultOf(await modernRequest(url, 2, 'resources/read', { uri: 'skill://c/SKILL.md' }))
    expect(read).toMatchObject({ contents: [{ text: 'two' }] })
  })

  test('directories are read where they can be', async () => {
    const [one, two] = [await skilled('one', ['b']), await skilled('two', ['b'], { directoryRead: true })]
    const { url } = await gatewayOf([
      { name: 'one', url: one.url },
      { name: 'two', url: two.url },
    ])
    await modernRequest(url, 1, 'tools/list')
    const read = resultOf(await modernRequest(url, 2, 'resources/directory/read', { uri: 'skill://b' }))
    expect(read).toMatchObject({ resources: [{ uri: 'skill://b/two' }] })
    expect(one.count('resources/directory/read')).toBe(0)
    const absent = await modernRequest(url, 3, 'resources/directory/read', { uri: 'skill://x' })
    expect(absent.response).toMatchObject({ error: { code: -32602 } })
  })

  test('a backend that fails takes only its own skills along', async () => {
    const one = await skilled('one', ['a'], {}, { unknown: ['skills/list'] })
    const two = await skilled('two', ['c'])
    const { url } = await gatewayOf([
      { name: 'one', url: one.url },
      { name: 'two', url: two.url },
    ])
    const { skills, ttlMs } = resultOf(await modernRequest(url, 1, 'skills/list'))
    expect(skills).toHaveLength(1)
    expect(ttlMs).toBe(1000)
  })

  test('where nobody has any the methods do not exist, as in a session', async () => {
    const { url } = await gatewayOf([{ name: 'none', url: (await backend({ era: 'both' })).url }])
    const answers = [
      await modernRequest(url, 1, 'skills/list'),
      await modernRequest(url, 2, 'skills/get', { uri: 'x' }),
    ]
    for (const { status, response } of answers) {
      expect(status).toBe(404)
      expect(response).toMatchObject({ error: { code: -32601 } })
    }
    const legacy = await legacyWire(url)
    expect((await legacy.request(1, 'skills/list')).response).toMatchObject({ error: { code: -32601 } })
  })

  test('a session reads the skills of a modern server, without hints for caches', async () => {
    const fixture = await startFixture('modern')
    open.push(() => fixture.end())
    const { url } = await gatewayOf([{ name: 'fixture', url: fixture.url }])
    const client = await legacyWire(url)
    const listed = resultOf(await client.request(1, 'skills/list'))
    expect(Object.keys(listed)).toEqual(['skills'])
    const { uri } = (listed['skills'] as { uri: string }[])[0]!
    expect(resultOf(await client.request(2, 'skills/get', { uri }))).toMatchObject({ skill: { uri } })
    expect(resultOf(await client.request(3, 'resources/read', { uri }))).toMatchObject({ contents: [{ uri }] })
    const root = uri.replace('/SKILL.md', '')
    expect(resultOf(await client.request(4, 'resources/directory/read', { uri: root }))).toMatchObject({
      resources: [{ uri }, { mimeType: 'inode/directory' }],
    })
  })
})

describe('server capabilities', () => {
  test('name what reachable backends declare, of either era, as far as it is carried', async () => {
    const extensions = {
      [UI]: { mimeTypes: ['text/html;profile=mcp-app'] },
      'io.modelcontextprotocol/unheard-of': {},
      'com.acme/jobs': { level: 1 },
    }
    const one = await backend({ era: 'legacy', capabilities: { extensions } })
    const two = await skilled('two', ['a'], { directoryRead: true })
    const { url } = await gatewayOf([
      { name: 'one', url: one.url },
      { name: 'two', url: two.url },
    ])
    const expected = { [UI]: extensions[UI], [SKILLS]: { directoryRead: true } }
    const { capabilities } = resultOf(await modernRequest(url, 1, 'server/discover'))
    expect((capabilities as JsonObject)['extensions']).toEqual(expected)
    const client = new Client({ name: 'x', version: '1' })
    await client.connect(new StreamableHTTPClientTransport(new URL(url)))
    open.push(() => client.close())
    expect(client.getServerCapabilities()?.extensions).toEqual(expected)
  })
})

describe.each(['legacy', 'modern'] as const)('methods of a vendor on a %s server', (era) => {
  const start = async () => {
    const owner = await backend({
      name: 'acme',
      era,
      capabilities: { extensions: { 'com.acme/jobs': { level: 1 } } },
      methods: {
        'acme/jobs/start': ({ params }) => ({ got: params['job'] ?? null, extra: { deep: [1, null] } }),
        'acme/jobs/hidden': () => ({}),
      },
    })
    const other = await backend({ name: 'other', era, methods: { 'acme/jobs/start': () => ({ wrong: true }) } })
    const gateway = await gatewayOf([
      { name: 'other', url: other.url },
      { name: 'acme', url: owner.url, methods: ['acme/jobs/start'] },
    ])
    return { gateway, owner, other }
  }

  test('reach the backend that has them, from clients of both eras, untouched', async () => {
    const { gateway, owner, other } = await start()
    const params = { job: { n: 1 }, _meta: { 'com.acme/trace': 't' } }
    const modern = resultOf(await modernRequest(gateway.url, 1, 'acme/jobs/start', params))
    expect(modern).toMatchObject({ resultType: 'complete', got: { n: 1 }, extra: { deep: [1, null] } })
    const client = await legacyWire(gateway.url)
    const legacy = resultOf(await client.request(1, 'acme/jobs/start', params))
    expect(legacy).toMatchObject({ got: { n: 1 }, extra: { deep: [1, null] } })
    expect(legacy).not.toHaveProperty('resultType')
    const arrived = owner.requests.filter(({ method }) => method === 'acme/jobs/start')
    for (const { body } of arrived) expect(body).toMatchObject({ params: { _meta: { 'com.acme/trace': 't' } } })
    expect(other.count('acme/jobs/start')).toBe(0)
    const { capabilities } = resultOf(await modernRequest(gateway.url, 2, 'server/discover'))
    expect(capabilities).toMatchObject({ extensions: { 'com.acme/jobs': { level: 1 } } })
  })

  test('do not exist unless they are listed', async () => {
    const { gateway, owner } = await start()
    const modern = await modernRequest(gateway.url, 1, 'acme/jobs/hidden')
    expect(modern.status).toBe(404)
    expect(modern.response).toMatchObject({ error: { code: -32601 } })
    const client = await legacyWire(gateway.url)
    expect((await client.request(1, 'acme/jobs/hidden')).response).toMatchObject({ error: { code: -32601 } })
    expect(owner.count('acme/jobs/hidden')).toBe(0)
  })
})
