import type { StdioEndpoint } from '../../model/backend.ts'
import { GatewayError } from '../../model/errors.ts'
import { LineReader } from '../../protocol/lines.ts'
import { Channel } from '../channel/channel.ts'
import type { LegContext } from '../leg.ts'
import { SessionLost } from '../leg.ts'
import { ServerProcess } from './process.ts'
import { TextLines } from './text-lines.ts'

/** Lines of stderr that explain an early exit. */
const LAST_WORDS = 3
/** A process that has closed its output ends within this time, or never answers again. */
const MUTE_MS = 500

/** The standard streams of a process: one message a line, both ways. Throws `BACKEND_UNREACHABLE` when there is none. */
export async function openProcess(endpoint: StdioEndpoint, context: LegContext): Promise<Channel> {
  const server = await ServerProcess.start(endpoint)
  const channel = new Channel(context, {
    get ended() {
      return server.ended
    },
    get unread() {
      return server.unread
    },
    write: (text, done) => server.write(`${text}\n`, done),
    // It ended before it had read all of it; how it ended says more to whoever cannot try again.
    fault: (_error, repeatable) => (repeatable ? new SessionLost() : undefined),
    close: () => server.stop(),
  })
  readMessageLines(server, channel, context)
  server.stdout?.once('end', () => void setTimeout(endMute, MUTE_MS, server, channel).unref())
  const lastWords = readErrorLines(server, context, secretsOf(endpoint))
  server.exited.then(
    (how) => {
      // What it started may still be there.
      server.stop().catch(() => {})
      const words = lastWords.join(' / ')
      // What a process wrote may be about another client: it is for the log, never for the caller.
      channel.fail(new GatewayError('BACKEND_UNREACHABLE', `the process ${how}`, words === '' ? {} : { detail: words }))
    },
    () => {},
  )
  return channel
}

/** How a process ended says more than that its output did: that it lives on is the exception. */
function endMute(server: ServerProcess, channel: Channel): void {
  if (server.ended) return
  channel.fail(new GatewayError('BACKEND_UNREACHABLE', 'the process closed its output'))
  server.stop().catch(() => {})
}

function readMessageLines(server: ServerProcess, channel: Channel, context: LegContext): void {
  const { backend, telemetry, maxMessageBytes } = context
  const lines = new LineReader(
    (line) => {
      // Servers print banners here; only what starts like a message can be one.
      if (!readLine(channel, line)) telemetry.emit('backend.noise', { backend, line: line.slice(0, 200) })
    },
    () => {
      const what = `a message is larger than maxMessageBytes (${maxMessageBytes} bytes)`
      channel.fail(new GatewayError('BACKEND_PROTOCOL', what))
      server.stop().catch(() => {})
    },
    maxMessageBytes,
  )
  server.stdout?.on('data', (chunk: Buffer) => lines.push(chunk))
}

/** `false`: the line is none of the protocol. */
function readLine(channel: Channel, line: string): boolean {
  if (!line.startsWith('{') && !/^\s*[{[]/.test(line)) return false
  try {
    return channel.read(line)
  } catch {
    return false
  }
}

/** Answers the list of the latest lines. */
function readErrorLines(server: ServerProcess, context: LegContext, secrets: readonly string[]): string[] {
  const { backend, telemetry } = context
  const latest: string[] = []
  const lines = new TextLines((text) => {
    const line = secrets.reduce(hide, text)
    latest.push(line.slice(0, 200))
    if (latest.length > LAST_WORDS) latest.shift()
    telemetry.emit('backend.stderr', { backend, line })
  })
  server.stderr?.on('data', (chunk: Buffer) => lines.push(chunk))
  server.stderr?.on('close', () => lines.end())
  return latest
}

/** Shorter values are words, not secrets: hiding them would make a log unreadable. */
const SHORTEST_SECRET = 8

/** Configured values that a server may write to its log. */
function secretsOf({ env }: StdioEndpoint): string[] {
  return Object.values(env)
    .map((value) => value.reveal())
    .filter((value) => value.length >= SHORTEST_SECRET)
}

function hide(line: string, secret: string): string {
  return line.replaceAll(secret, '***')
}
