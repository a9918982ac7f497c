import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { describe, expect, test } from 'vitest'

import type { JsonObject } from '../../src/model/json.ts'
import { startCommandLine, type CommandLine } from '../support/command-line.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { startHttpBackend, type HttpBackend, type HttpBackendOptions } from '../support/http-backend.ts'
import { isAlive, waitFor } from '../support/processes.ts'
import { legacyClient, modernClient, type RawClient } from '../support/raw-client.ts'
import { ECHO_TOOL } from '../support/script.ts'
import type { StdioOptions } from '../support/stdio-backend.ts'

const STDIO_BACKEND = fileURLToPath(new URL('../support/stdio-backend.ts', import.meta.url))
const CLIENTS = { legacy: legacyClient, modern: modernClient }
type Era = keyof typeof CLIENTS
/** A watched file is read again after 150 ms of quiet. */
const NOTICED_MS = 600

const http = (name: string, backend: HttpBackend): JsonObject => ({ name, url: backend.url })
const stdio = (name: string, options: StdioOptions = {}): JsonObject => ({
  name,
  command: process.execPath,
  args: [STDIO_BACKEND, JSON.stringify({ era: 'legacy', ...options })],
})

async function withBackends(
  options: HttpBackendOptions[],
  play: (...backends: HttpBackend[]) => Promise<void>,
): Promise<void> {
  const backends = await Promise.all(
    options.map((each) => startHttpBackend({ era: 'legacy', tools: [ECHO_TOOL], ...each })),
  )
  try {
    await play(...backends)
  } finally {
    await Promise.all(backends.map((backend) => backend.close()))
  }
}

async function withGateway(
  config: JsonObject,
  era: Era,
  play: (gateway: TestGateway, client: RawClient) => Promise<void>,
): Promise<void> {
  const gateway = await startGateway(config)
  try {
    const client = await CLIENTS[era](gateway.url)
    try {
      await play(gateway, client)
    } finally {
      await client.close()
    }
  } finally {
    await gateway.close()
  }
}

const description = async (client: RawClient, name: string): Promise<unknown> => {
  const { result } = await client.request('tools/list')
  const tools = result?.['tools'] as JsonObject[] | undefined
  return tools?.find((tool) => tool['name'] === name)?.['description']
}

const ready = (gateway: TestGateway, name: string) =>
  waitFor(
    () => gateway.gateway.current.backends.find(({ spec }) => spec.id === name)?.state.kind === 'ready',
    5_000,
    `${name} ready`,
  )

/** Long enough for a notification that must not come. */
const QUIET_MS = 250

/** The first list, and the notification that it came with. */
async function settled(client: RawClient): Promise<void> {
  await client.tools()
  await sleep(QUIET_MS)
  client.changes.length = 0
}

describe.concurrent('Gateway.reload', () => {
  test.each(['legacy', 'modern'] as const)(
    'unchanged backends keep process, session and state, %s client',
    async (era) => {
      await withBackends([{ era }, {}], async (kept, other) => {
        const backends = [http('web', kept), stdio('proc', { era })]
        await withGateway({ backends }, era, async (gateway, client) => {
          await ready(gateway, 'proc')
          const pid = (await client.tool('proc_pid')).text
          expect((await client.tool('proc_counter')).text).toBe('1')
          await client.tool('web_echo', { text: 'x' })
          const sessions = kept.sessions()
          const handshakes = kept.count('initialize') + kept.count('server/discover')
          const description = 'Edited'
          const aggregation = { tools: [{ workload: 'web', overrides: { echo: { description } } }] }
          await gateway.reload({ aggregation, backends: [...backends, http('new', other)] })
          expect((await client.tool('proc_pid')).text).toBe(pid)
          expect((await client.tool('proc_counter')).text).toBe('2')
          expect(await client.tool('web_echo', { text: 'x' })).toMatchObject({ text: 'x' })
          expect(kept.sessions()).toBe(sessions)
          expect(kept.count('initialize') + kept.count('server/discover')).toBe(handshakes)
          const told = gateway.events.find(({ name }) => name === 'config.reloaded')?.data
          expect(told).toEqual({ backends: 3, kept: 2 })
        })
      })
    },
  )

  test.each(['legacy', 'modern'] as const)('an edited description shows and is announced, %s client', async (era) => {
    await withBackends([{}], async (only) => {
      const backends = [http('only', only)]
      const edited = (text: string): JsonObject => ({
        backends,
        aggregation: { tools: [{ workload: 'only', overrides: { echo: { description: text } } }] },
      })
      await withGateway({ backends }, era, async (gateway, client) => {
        await settled(client)
        expect(await description(client, 'echo')).toBe(ECHO_TOOL['description'])
        await gateway.reload(edited('First'))
        await waitFor(() => client.changes.length > 0)
        expect(await description(client, 'echo')).toBe('First')
        await gateway.reload(edited('Second'))
        await waitFor(() => client.changes.length > 1)
        expect(await description(client, 'echo')).toBe('Second')
        expect(client.changes).toEqual(Array.from({ length: 2 }, () => 'notifications/tools/list_changed'))
        expect(only.count('tools/list')).toBe(1)
      })
    })
  })

  test.each(['legacy', 'modern'] as const)('a reload that changes nothing tells nobody, %s client', async (era) => {
    await withBackends([{ prompts: [{ name: 'greet' }] }], async (only) => {
      const config = { backends: [http('only', only), stdio('proc')] }
      await withGateway(config, era, async (gateway, client) => {
        await ready(gateway, 'proc')
        await settled(client)
        await gateway.reload(config)
        await gateway.reload({ ...config, operational: { timeouts: { default: '29s' } } })
        await sleep(QUIET_MS)
        expect(client.changes).toEqual([])
      })
    })
  })

  test('removed backends end, added ones appear, in the order of the file', async () => {
    await withBackends([{}, {}], async (one, two) => {
      await withGateway({ backends: [http('one', one), stdio('gone')] }, 'legacy', async (gateway, client) => {
        await ready(gateway, 'gone')
        await client.tools()
        const pid = Number((await client.tool('gone_pid')).text)
        await gateway.reload({ backends: [http('two', two), http('one', one)] })
        expect(await client.tools()).toEqual(['two_echo', 'one_echo'])
        expect(await client.tool('gone_pid')).toMatchObject({ code: -32602, text: 'Unknown tool: gone_pid' })
        await waitFor(() => !isAlive(pid), 5_000, 'the end of the removed process')
        await waitFor(() => client.changes.includes('notifications/tools/list_changed'))
        await gateway.reload({ backends: [http('two', two)] })
        await waitFor(() => one.sessions() === 0, 5_000, 'the end of the session of the removed backend')
        // The only one left is not prefixed.
        expect(await client.tools()).toEqual(['echo'])
      })
    })
  })

  test('a changed backend is another one: new process, old one ended', async () => {
    const config = (value: string): JsonObject => ({
      backends: [{ ...stdio('proc'), env: { VALUE: value } }, stdio('b')],
    })
    await withGateway(config('1'), 'legacy', async (gateway, client) => {
      await ready(gateway, 'proc')
      const pid = Number((await client.tool('proc_pid')).text)
      await gateway.reload(config('2'))
      expect((await client.tool('proc_environment')).text).toContain('"VALUE":"2"')
      expect((await client.tool('proc_pid')).text).not.toBe(String(pid))
      await waitFor(() => !isAlive(pid), 5_000, 'the end of the old process')
    })
  })

  test('a list right after a reload waits for the backend that is new', async () => {
    await withBackends([{}, { slowStartMs: 600 }], async (one, slow) => {
      await withGateway({ backends: [http('one', one)] }, 'legacy', async (gateway, client) => {
        await client.tools()
        await gateway.reload({ backends: [http('one', one), http('slow', slow)] })
        expect(await client.tools()).toEqual(['one_echo', 'slow_echo'])
      })
    })
  })

  const removals = (['http', 'stdio'] as const).flatMap((kind) =>
    (['legacy', 'modern'] as const).map((era) => ({ kind, era })),
  )
  test.each(removals)('calls that run finish on a removed backend: $kind, $era client', async ({ kind, era }) => {
    const tools = [{ ...ECHO_TOOL, name: 'slow' }]
    const call = () => ({ content: [{ type: 'text', text: 'slept 4 times' }] })
    await withBackends([{ tools, call, delayMs: 0 }, {}], async (old, other) => {
      const backend = kind === 'http' ? http('old', old) : stdio('old')
      await withGateway({ backends: [backend, http('other', other)] }, era, async (gateway, client) => {
        await ready(gateway, 'old')
        await client.tools()
        old.script.delayMs = 800
        const running = client.tool('old_slow', { steps: 4, delayMs: 200 })
        await sleep(200)
        await gateway.reload({ backends: [http('other', other)] })
        expect(await client.tools()).toEqual(['echo'])
        expect(await running).toMatchObject({ text: 'slept 4 times', isError: false })
        if (kind === 'http') await waitFor(() => old.sessions() === 0)
      })
    })
  })

  test('a notification of a backend that carried over still reaches clients', async () => {
    await withBackends([{}], async (only) => {
      const config = { backends: [http('only', only)] }
      await withGateway(config, 'legacy', async (gateway, client) => {
        await settled(client)
        await waitFor(() => only.streams() > 0)
        await gateway.reload({ ...config, operational: { timeouts: { default: '20s' } } })
        only.change('tools', [ECHO_TOOL, { name: 'late', inputSchema: { type: 'object' } }])
        await waitFor(() => client.changes.length > 0)
        expect(await client.tools()).toContain('late')
        await sleep(QUIET_MS)
        expect(client.changes).toEqual(['notifications/tools/list_changed'])
      })
    })
  })

  test('many reloads in a row end in the last one and leave nothing behind', async () => {
    await withBackends([{}, {}], async (one, two) => {
      await withGateway({ backends: [http('one', one)] }, 'legacy', async (gateway, client) => {
        await client.tools()
        const both = { backends: [http('one', one), http('two', two), stdio('proc')] }
        for (let turn = 0; turn < 10; turn++) {
          await gateway.reload(turn % 2 === 0 ? both : { backends: [http('one', one)] })
        }
        await gateway.reload({ backends: [http('two', two)] })
        expect(await client.tools()).toEqual(['echo'])
        expect(await client.tool('echo', { text: 'x' })).toMatchObject({ text: 'x' })
        await waitFor(() => one.sessions() === 0)
        expect(one.streams()).toBe(0)
      })
    })
  })
})

describe.concurrent('shown names stay with their backend while the configuration is unchanged', () => {
  const strategies: { how: string; aggregation: JsonObject; names: string[] }[] = [
    { how: 'prefix', aggregation: {}, names: ['one_echo', 'two_echo'] },
    { how: 'onlyOnConflict', aggregation: { onlyOnConflict: true }, names: ['one_echo', 'two_echo'] },
    {
      how: 'priority',
      aggregation: { conflictResolution: 'priority', conflictResolutionConfig: { priorityOrder: ['one', 'two'] } },
      names: ['echo'],
    },
  ]
  const answering = (text: string): HttpBackendOptions => ({ call: () => ({ content: [{ type: 'text', text }] }) })

  test.each(strategies)('$how: whatever is down, later', async ({ aggregation, names }) => {
    await withBackends([answering('one'), answering('two')], async (one, two) => {
      const config = { aggregation, backends: [http('one', one), http('two', two)] }
      await withGateway(config, 'legacy', async (gateway, client) => {
        expect(await client.tools()).toEqual(names)
        await one.stop()
        const away = await client.tool(names[0] ?? '')
        expect(away).toMatchObject({ isError: true })
        expect(away.text).toMatch(/backend "one" cannot be reached/)
        await waitFor(() => gateway.gateway.current.backends[0]?.state.kind === 'failing')
        // Neither moved nor renamed: it is only not listed.
        expect(await client.tools()).toEqual(names.slice(1))
        const still = await client.tool(names[0] ?? '')
        expect(still.text).toMatch(/backend "one" cannot be reached/)
        if (names[1] !== undefined) expect(await client.tool(names[1])).toMatchObject({ text: 'two' })
        await one.start()
        expect(await client.tool(names[0] ?? '')).toMatchObject({ text: 'one', isError: false })
        expect(await client.tools()).toEqual(names)
        await two.stop()
        expect(await client.tool(names[0] ?? '')).toMatchObject({ text: 'one' })
      })
    })
  })

  test('a reload that changes nothing while one is down moves no name', async () => {
    await withBackends([answering('one'), answering('two')], async (one, two) => {
      const aggregation = { onlyOnConflict: true }
      const config = { aggregation, backends: [http('one', one), http('two', two)] }
      await withGateway(config, 'legacy', async (gateway, client) => {
        expect(await client.tools()).toEqual(['one_echo', 'two_echo'])
        await one.stop()
        await client.tool('one_echo')
        await waitFor(() => gateway.gateway.current.backends[0]?.state.kind === 'failing')
        await gateway.reload(config)
        expect(await client.tools()).toEqual(['two_echo'])
        expect((await client.tool('one_echo')).text).toMatch(/backend "one" cannot be reached/)
        await one.start()
        expect(await client.tool('one_echo')).toMatchObject({ text: 'one' })
      })
    })
  })

  test('onlyOnConflict: who comes after the first list is the one that is prefixed', async () => {
    await withBackends([answering('one'), answering('two')], async (one, two) => {
      await one.stop()
      const aggregation = { onlyOnConflict: true }
      const config = { aggregation, backends: [http('one', one), http('two', two)] }
      await withGateway(config, 'legacy', async (gateway, client) => {
        expect(await client.tools()).toEqual(['echo'])
        expect(await client.tool('echo')).toMatchObject({ text: 'two' })
        await one.start()
        await ready(gateway, 'one')
        expect((await client.tools()).toSorted()).toEqual(['echo', 'one_echo'])
        expect(await client.tool('echo')).toMatchObject({ text: 'two' })
        expect(await client.tool('one_echo')).toMatchObject({ text: 'one' })
        await gateway.reload(config)
        expect(await client.tool('echo')).toMatchObject({ text: 'two' })
      })
    })
  })
})

describe.concurrent('serve --watch', () => {
  async function watching(
    config: JsonObject,
    play: (line: CommandLine, client: RawClient, file: string) => Promise<void>,
  ): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), 'vmcp-'))
    const file = join(folder, 'vmcp.yaml')
    writeFileSync(file, JSON.stringify(config))
    const line = startCommandLine(['serve', file, '--port', '0', '--watch', '--log-level', 'info'])
    try {
      const client = await legacyClient(await line.url())
      try {
        await settled(client)
        await play(line, client, file)
      } finally {
        await client.close()
      }
    } finally {
      await line.end()
      rmSync(folder, { recursive: true })
    }
  }

  const reloads = (line: CommandLine): number => line.stdout().match(/configuration reloaded/g)?.length ?? 0
  const edited = (backends: JsonObject[], text: string): string =>
    JSON.stringify({
      backends,
      aggregation: { tools: [{ workload: 'proc', overrides: { echo: { description: text } } }] },
    })
  const saves: { how: string; save: (file: string, text: string) => void }[] = [
    { how: 'written in place', save: (file, text) => writeFileSync(file, text) },
    {
      how: 'renamed over the old one',
      save: (file, text) => {
        writeFileSync(`${file}.tmp`, text)
        renameSync(`${file}.tmp`, file)
      },
    },
    {
      how: 'removed and written anew',
      save: (file, text) => {
        rmSync(file)
        writeFileSync(file, text)
      },
    },
    {
      how: 'moved aside and written anew, as vim does',
      save: (file, text) => {
        renameSync(file, `${file}~`)
        writeFileSync(file, text)
        rmSync(`${file}~`)
      },
    },
  ]
  test.each(saves)('$how, again and again', async ({ save }) => {
    const backends = [stdio('proc')]
    await watching({ backends }, async (line, client, file) => {
      const pid = (await client.tool('pid')).text
      for (const text of ['First', 'Second', 'Third']) {
        save(file, edited(backends, text))
        await waitFor(async () => (await description(client, 'echo')) === text, 5_000, `description ${text}`)
      }
      expect(reloads(line)).toBe(3)
      expect((await client.tool('pid')).text).toBe(pid)
      expect(client.changes.filter((method) => method === 'notifications/tools/list_changed')).toHaveLength(3)
    })
  })

  test('several quick saves make one reload, of the last', async () => {
    const backends = [stdio('proc')]
    await watching({ backends }, async (line, client, file) => {
      for (let save = 0; save < 10; save++) {
        writeFileSync(file, edited(backends, `Save ${save}`))
        await sleep(15)
      }
      await waitFor(async () => (await description(client, 'echo')) === 'Save 9')
      await sleep(NOTICED_MS)
      expect(reloads(line)).toBeLessThanOrEqual(2)
      expect(line.stderr()).not.toMatch(/has faults/)
    })
  })

  test('a faulty file leaves the running configuration alone and says why; the next good one is used', async () => {
    const backends = [stdio('proc')]
    await watching({ backends }, async (line, client, file) => {
      const pid = (await client.tool('pid')).text
      const faulty: [string, RegExp][] = [
        ['backends: [\n', /vmcp\.yaml:\d+/],
        ['backends:\n  - name: proc\n    comand: node\n', /vmcp\.yaml:3:5 .*comand.*command/],
        [
          'backends: []\nincomingAuth: { type: anonymous, authz: { type: cedar, policies: ["permit(principal, acton, resource);"] } }\n',
          /incomingAuth\.authz\.policies/,
        ],
        ['', /vmcp\.yaml|backends|empty/],
      ]
      for (const [text, told] of faulty) {
        const before = line.stderr().length
        writeFileSync(file, text)
        const news = await waitFor(
          () => /has faults[^]*/.exec(line.stderr().slice(before))?.[0],
          5_000,
          `a rejection of ${JSON.stringify(text)}`,
        )
        expect(news).toMatch(told)
        expect((await client.tool('pid')).text).toBe(pid)
        expect(await client.tools()).toContain('pid')
      }
      rmSync(file)
      await sleep(NOTICED_MS)
      expect((await client.tool('pid')).text).toBe(pid)
      expect(reloads(line)).toBe(0)
      writeFileSync(file, edited(backends, 'Good again'))
      await waitFor(async () => (await description(client, 'echo')) === 'Good again')
      expect((await client.tool('pid')).text).toBe(pid)
    })
  })

  test('backends come and go with the file', async () => {
    await watching({ backends: [stdio('proc')] }, async (_, client, file) => {
      const pid = Number((await client.tool('pid')).text)
      writeFileSync(file, JSON.stringify({ backends: [stdio('proc'), stdio('more')] }))
      await waitFor(async () => (await client.tools()).includes('more_pid'))
      expect((await client.tool('proc_pid')).text).toBe(String(pid))
      writeFileSync(file, JSON.stringify({ backends: [stdio('more')] }))
      await waitFor(async () => !(await client.tools()).includes('proc_pid'))
      await waitFor(() => !isAlive(pid), 5_000, 'the end of the removed process')
    })
  })

  test('other files in the folder are none of its business', async () => {
    await watching({ backends: [stdio('proc')] }, async (line, _, file) => {
      writeFileSync(join(file, '..', 'notes.txt'), 'hello')
      await sleep(NOTICED_MS)
      expect(reloads(line)).toBe(0)
      expect(line.stderr()).not.toMatch(/has faults/)
    })
  })
})
