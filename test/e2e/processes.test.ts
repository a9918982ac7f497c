import { randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { describe, expect, test } from 'vitest'

import type { JsonObject } from '../../src/model/json.ts'
import { killQuietly, startCommandLine, type CommandLine } from '../support/command-line.ts'
import { startHttpBackend } from '../support/http-backend.ts'
import { descendants, isAlive, waitFor } from '../support/processes.ts'
import { legacyClient, modernClient, type RawClient } from '../support/raw-client.ts'
import { ECHO_TOOL, META, MODERN } from '../support/script.ts'
import type { StdioOptions } from '../support/stdio-backend.ts'

const STDIO_BACKEND = fileURLToPath(new URL('../support/stdio-backend.ts', import.meta.url))
const CLIENTS = { legacy: legacyClient, modern: modernClient }
type Era = keyof typeof CLIENTS

interface Scene {
  line: CommandLine
  /** Living processes that carry this run's mark in their command line, the gateway itself excluded. */
  marked: () => number[]
}

/** `vmcp serve` on a configuration of processes; nothing of it outlives the test. */
async function serving(
  backends: (mark: string) => JsonObject[],
  play: (scene: Scene) => Promise<void>,
  options: { args?: string[]; env?: Record<string, string>; port?: number; input?: JsonObject } = {},
): Promise<void> {
  const mark = `mark-${randomUUID()}`
  const folder = mkdtempSync(join(tmpdir(), 'vmcp-'))
  const file = join(folder, 'vmcp.yaml')
  writeFileSync(file, JSON.stringify({ backends: backends(mark) }))
  const { args = [], env = {}, port = 0, input } = options
  const text = input && `${JSON.stringify(input)}\n`
  const line = startCommandLine(['serve', file, '--port', String(port), ...args], env, text)
  const marked = () => processesWith(mark).filter((pid) => pid !== line.pid)
  try {
    await play({ line, marked })
  } finally {
    await line.end()
    for (const pid of marked()) killQuietly(pid)
    rmSync(folder, { recursive: true })
  }
}

function processesWith(mark: string): number[] {
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name)
    if (!Number.isInteger(pid)) return []
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(mark) && isAlive(pid) ? [pid] : []
    } catch {
      return []
    }
  })
}

/** The mark is an argument that the fixture does not read. */
const stdio = (name: string, mark: string, options: StdioOptions = {}): JsonObject => ({
  name,
  command: process.execPath,
  args: [STDIO_BACKEND, JSON.stringify(options), mark],
})

/** A shell that stays in between, as start scripts do. */
const shell = (name: string, mark: string, options: StdioOptions = {}): JsonObject => ({
  name,
  command: 'sh',
  args: ['-c', '"$0" "$1" "$2" "$3"; exit $?', process.execPath, STDIO_BACKEND, JSON.stringify(options), mark],
})

async function withClient(era: Era, line: CommandLine, play: (client: RawClient) => Promise<void>): Promise<void> {
  const client = await CLIENTS[era](await line.url())
  try {
    await play(client)
  } finally {
    await client.close().catch(() => undefined)
  }
}

const ready = (line: CommandLine, count: number) =>
  waitFor(
    () => line.stdout().match(/^ {2}ready/gm)?.length === count,
    15_000,
    `${count} backends ready: ${line.stdout()}`,
  )

describe.concurrent('the end of the gateway is the end of everything it started', () => {
  const kinds: Record<string, (name: string, mark: string) => JsonObject> = {
    tame: (name, mark) => stdio(name, mark),
    stubborn: (name, mark) => stdio(name, mark, { stubborn: true }),
    parent: (name, mark) => stdio(name, mark, { grandchild: true }),
    stubbornParent: (name, mark) => stdio(name, mark, { stubborn: true, grandchild: true }),
    wrapped: (name, mark) => shell(name, mark),
    wrappedStubborn: (name, mark) => shell(name, mark, { stubborn: true, grandchild: true }),
  }
  const all = (mark: string) => Object.entries(kinds).map(([name, make]) => make(name, mark))
  /** One each, two more for the shells, three grandchildren. */
  const PROCESSES = 6 + 2 + 3

  test.each([
    ['SIGINT', 'legacy'],
    ['SIGTERM', 'modern'],
  ] as const)('%s: exit 0, nobody is left', async (signal, era) => {
    await serving(all, async ({ line }) => {
      await ready(line, 6)
      // Clients have processes of their own.
      await withClient(era, line, async (client) => {
        for (const name of Object.keys(kinds)) {
          expect(await client.tool(`${name}_echo`, { text: 'hi' })).toMatchObject({ text: 'hi' })
        }
        const below = descendants(line.pid)
        expect(below.length).toBeGreaterThanOrEqual(PROCESSES)
        const started = Date.now()
        line.signal(signal)
        expect(await line.exited).toBe(0)
        expect(Date.now() - started).toBeLessThan(6_000)
        expect(below.filter(isAlive)).toEqual([])
      })
    })
  })

  test('a backend that is still starting ends too', async () => {
    const slow = (mark: string) => [
      stdio('slow', mark, { slowStartMs: 60_000, stubborn: true }),
      stdio('silent', mark, { era: 'legacy', hang: ['initialize', 'server/discover'], grandchild: true }),
    ]
    await serving(slow, async ({ line }) => {
      await line.url()
      await waitFor(() => descendants(line.pid).length >= 3)
      const below = descendants(line.pid)
      line.signal('SIGTERM')
      expect(await line.exited).toBe(0)
      expect(below.filter(isAlive)).toEqual([])
    })
  })

  test('the second signal ends everything at once', async () => {
    await serving(all, async ({ line }) => {
      await ready(line, 6)
      const below = descendants(line.pid)
      line.signal('SIGINT')
      await waitFor(() => line.stdout().includes('stopping'))
      const started = Date.now()
      line.signal('SIGINT')
      expect(await line.exited).toBe(130)
      expect(Date.now() - started).toBeLessThan(900)
      await waitFor(() => below.every((pid) => !isAlive(pid)), 1_000, 'the end of all processes')
    })
  })

  test('killed outright, the processes that listen to their input end by themselves', async () => {
    const some = (mark: string) => [
      stdio('tame', mark),
      shell('wrapped', mark),
      stdio('parent', mark, { grandchild: true }),
    ]
    await serving(some, async ({ line, marked }) => {
      await ready(line, 3)
      expect(marked().length).toBeGreaterThanOrEqual(3)
      const below = descendants(line.pid)
      line.signal('SIGKILL')
      try {
        expect(await line.exited).toBe('SIGKILL')
        await waitFor(() => marked().length === 0, 5_000, 'the end of the processes')
      } finally {
        // Grandchildren that nobody can reach any more.
        for (const pid of below) killQuietly(pid)
      }
    })
  })

  test('a port that is taken: exit 1, a clear message, no process left', async () => {
    const holder = createServer()
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve))
    const { port } = holder.address() as AddressInfo
    try {
      await serving(
        all,
        async ({ line, marked }) => {
          expect(await line.exited).toBe(1)
          expect(line.stderr()).toMatch(new RegExp(`port ${port} on 127\\.0\\.0\\.1 is taken`))
          expect(line.stderr()).toMatch(/--port/)
          expect(line.stderr()).not.toMatch(/\n\s+at /)
          expect(marked()).toEqual([])
        },
        { port },
      )
    } finally {
      holder.close()
    }
  })
})

describe.concurrent('calls that run when the gateway is told to stop', () => {
  const cases = (['legacy', 'modern'] as const).flatMap((era) =>
    (['stdio', 'http'] as const).map((kind) => ({ era, kind })),
  )

  test.each(cases)('$era client, $kind backend: the call finishes, exit 0', async ({ era, kind }) => {
    const http = await startHttpBackend({
      tools: [{ ...ECHO_TOOL, name: 'slow' }],
      delayMs: kind === 'http' ? 0 : 1,
      call: () => ({ content: [{ type: 'text', text: 'finished' }] }),
    })
    try {
      const backend = (mark: string) => (kind === 'http' ? { name: 'b', url: http.url } : stdio('b', mark))
      await serving(
        (mark) => [backend(mark)],
        async ({ line }) => {
          await withClient(era, line, async (client) => {
            await client.tools()
            http.script.delayMs = 1_200
            const call = client.tool('slow', { steps: 6, delayMs: 200 })
            if (kind === 'http') await waitFor(() => http.count('tools/call') > 0)
            else await new Promise((resolve) => setTimeout(resolve, 400))
            line.signal('SIGTERM')
            expect(await call).toMatchObject({ text: kind === 'http' ? 'finished' : 'slept 6 times', isError: false })
            expect(await line.exited).toBe(0)
          })
        },
      )
    } finally {
      await http.close()
    }
  })

  test.each(['legacy', 'modern'] as const)(
    '%s: a call that takes longer than its grace is cut: exit 143',
    async (era) => {
      await serving(
        (mark) => [stdio('b', mark, { grandchild: true })],
        async ({ line }) => {
          await withClient(era, line, async (client) => {
            await client.tools()
            const call = client.tool('slow', { steps: 1, delayMs: 60_000 }).catch((error: unknown) => error)
            await new Promise((resolve) => setTimeout(resolve, 300))
            const below = descendants(line.pid)
            const started = Date.now()
            line.signal('SIGTERM')
            await waitFor(() => line.stdout().includes('stopping'))
            // Nobody new comes in meanwhile.
            await expect(fetch(await line.url(), { method: 'POST', body: '{}' })).rejects.toThrow()
            expect(await line.exited).toBe(143)
            expect(Date.now() - started).toBeGreaterThan(4_900)
            expect(Date.now() - started).toBeLessThan(9_000)
            expect(below.filter(isAlive)).toEqual([])
            const outcome = await call
            if (!(outcome instanceof Error)) expect(outcome).toMatchObject({ isError: true })
          })
        },
      )
    },
  )

  test('over stdio, a call that runs when the input ends is cut after ten seconds: exit 0', async () => {
    const _meta = { [META.version]: MODERN, [META.capabilities]: {} }
    const params = { name: 'slow', arguments: { steps: 6_000, delayMs: 10 }, _meta: { ..._meta, progressToken: 1 } }
    await serving(
      (mark) => [stdio('b', mark, { grandchild: true })],
      async ({ line, marked }) => {
        expect(await line.exited).toBe(0)
        const last = line.stdout().trim().split('\n').at(-1) ?? ''
        expect(JSON.parse(last)).toMatchObject({ id: 1, error: { message: 'the gateway is stopping' } })
        expect(marked()).toEqual([])
      },
      { args: ['--transport', 'stdio'], input: { jsonrpc: '2.0', id: 1, method: 'tools/call', params } },
    )
  })
})

describe.concurrent('what processes get and say', () => {
  test('a minimal environment and what is configured, nothing else of ours', async () => {
    const env = { OUR_SECRET_TOKEN: 'do-not-pass-me-on', NODE_OPTIONS: '--no-warnings', FROM_OUTSIDE: 'expanded' }
    await serving(
      (mark) => [{ ...stdio('b', mark), env: { CONFIGURED: 'yes', REFERRED: '${FROM_OUTSIDE}' } }],
      async ({ line }) => {
        await ready(line, 1)
        await withClient('legacy', line, async (client) => {
          const { text } = await client.tool('environment')
          const seen = JSON.parse(text) as Record<string, string>
          expect(seen).toMatchObject({ CONFIGURED: 'yes', REFERRED: 'expanded', PATH: process.env['PATH'] })
          expect(text).not.toContain('do-not-pass-me-on')
          expect(Object.keys(seen)).not.toContain('NODE_OPTIONS')
          expect(Object.keys(seen)).not.toContain('FROM_OUTSIDE')
        })
      },
      { env },
    )
  })

  test.each([
    { args: ['--log-level', 'info'], seen: true },
    { args: [], seen: false },
  ])('stderr reaches the log with the name of its backend: $args', async ({ args, seen }) => {
    const chatty = (mark: string) => [
      stdio('chatty', mark, { chatter: 'warming up \u001b[31m', banner: ['on stdout'] }),
    ]
    await serving(
      chatty,
      async ({ line }) => {
        await ready(line, 1)
        if (seen) await waitFor(() => line.stderr().includes('chatty | warming up'))
        else expect(line.stderr()).not.toContain('warming up')
        // What a backend writes must not steer the terminal.
        expect(line.stderr()).not.toContain('\u001b[31m')
        expect(line.stdout()).not.toContain('warming up')
        expect(line.stdout()).not.toContain('on stdout')
      },
      { args },
    )
  })

  test('over stdio, the end of the input is the end of everything', async () => {
    const some = (mark: string) => [
      stdio('parent', mark, { grandchild: true }),
      stdio('stubborn', mark, { stubborn: true }),
    ]
    await serving(
      some,
      async ({ line, marked }) => {
        expect(await line.exited).toBe(0)
        expect(line.stdout()).toBe('')
        expect(marked()).toEqual([])
      },
      { args: ['--transport', 'stdio'] },
    )
  })

  test('a fault is told in the banner with its cause, the rest is served', async () => {
    const mixed = (mark: string) => [
      stdio('good', mark),
      stdio('gone', mark, { exitAtStart: 9, chatter: 'FATAL: no licence' }),
      { name: 'missing', command: 'no-such-command-anywhere' },
    ]
    await serving(mixed, async ({ line }) => {
      await ready(line, 1)
      await waitFor(() => line.stdout().match(/^ {2}away/gm)?.length === 2, 5_000, line.stdout())
      expect(line.stdout()).toMatch(/away {3}gone .*exited with code 9.*FATAL: no licence/)
      expect(line.stdout()).toMatch(/away {3}missing .*command not found: no-such-command-anywhere/)
      await withClient('modern', line, async (client) => {
        expect(await client.tool('good_echo', { text: 'hi' })).toMatchObject({ text: 'hi' })
      })
    })
  })
})
