import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import type { Era } from '../../src/model/backend.ts'
import type { JsonObject } from '../../src/model/json.ts'
import type { HttpBackend } from './http-backend.ts'
import { startHttpBackend } from './http-backend.ts'
import { isAlive, waitFor } from './processes.ts'
import { WORK_TOOL, work } from './work.ts'

const STDIO_BACKEND = fileURLToPath(new URL('stdio-backend.ts', import.meta.url))

/** A backend with the tool `work`, and the ways in which it can fail. `fault` resolves when it has happened. */
export interface Source {
  /** Its entry in a configuration. */
  config: JsonObject
  /** What the tool noted, in every life of the backend. */
  notes(): string[]
  fault(fault: Fault): Promise<void>
  /** Sessions and streams that it keeps for the gateway; none of a process. */
  holds(): number
  /** Mends what does not mend itself. */
  mend(): Promise<void>
  close(): Promise<void>
}

export const FAULTS = ['killed', 'restarted', 'hung', 'cut'] as const
export type Fault = (typeof FAULTS)[number]
export const WIRES = ['stdio', 'http'] as const
export type Wire = (typeof WIRES)[number]

export const startSource = async (era: Era, wire: Wire): Promise<Source> =>
  wire === 'stdio' ? stdioSource(era) : httpSource(era)

const SIGNALS = { killed: 'SIGKILL', restarted: 'SIGTERM', hung: 'SIGSTOP', cut: 'SIGUSR2' } as const

/** Starting it again is the gateway's business. The process that noted last is the one that fails. */
function stdioSource(era: Era): Source {
  const folder = mkdtempSync(join(tmpdir(), 'vmcp-source-'))
  const file = join(folder, 'notes')
  const lines = () => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [])
  let hung: number | undefined
  return {
    config: { command: process.execPath, args: [STDIO_BACKEND, JSON.stringify({ era, notes: file })] },
    notes: () => lines().map((line) => line.slice(line.indexOf(' ') + 1)),
    async fault(fault) {
      const pid = Number(lines().at(-1)?.split(' ')[0])
      process.kill(pid, SIGNALS[fault])
      if (fault === 'hung') hung = pid
      else await waitFor(() => !existsSync(`/proc/${pid}`), 5_000, 'the end of the process, of which the gateway knows')
    },
    async mend() {
      if (hung !== undefined && isAlive(hung)) process.kill(hung, 'SIGCONT')
    },
    holds: () => 0,
    close: async () => rmSync(folder, { recursive: true }),
  }
}

export async function httpSource(era: Era): Promise<Source & { backend: HttpBackend; noted: string[] }> {
  const noted: string[] = []
  const backend = await startHttpBackend({
    era,
    tools: [WORK_TOOL],
    call: (_name, args, exchange) => work(args, exchange, (note) => noted.push(note)),
  })
  return {
    backend,
    noted,
    config: { url: backend.url },
    notes: () => noted,
    async fault(fault) {
      if (fault === 'killed') await backend.stop()
      else if (fault === 'restarted') await backend.restart()
      else if (fault === 'cut') backend.killConnections()
      else backend.script.intercept = () => {}
    },
    async mend() {
      backend.script.intercept = undefined
      await backend.start()
    },
    holds: () => backend.sessions() + backend.streams(),
    close: () => backend.close(),
  }
}
