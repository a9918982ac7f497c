import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { DEMANDED, SUITE_COMMAND, type Revision } from './requirements.ts'

export interface Check {
  id: string
  name: string
  status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'SKIPPED' | 'INFO'
  errorMessage?: string
}

/** Checks by scenario; a scenario that did not come to its end is not in it. */
export type Results = Map<string, Check[]>

/** How long one command of the suite may take; then it is ended and what it has written so far counts. */
const LIMIT_MS = 150_000

/**
 * Runs what the suite has for servers: the requirement set of the revision and the scenarios that we demand beside it.
 * @param url with the name `localhost`, or the scenario about DNS rebinding tests nothing.
 */
export async function runServerSuite(url: string, revision: Revision): Promise<Results> {
  const extra = DEMANDED[revision].filter((demand) => demand.extra).map(({ scenario }) => scenario)
  return inFolder(async (folder) => {
    await command(['server', '--url', url, '-o', folder, '--requirements', revision])
    for (const scenario of extra) await command(serverScenario(url, scenario, revision, folder))
    return readResults(folder, 'server-')
  })
}

/** Runs one scenario of those. */
export async function runServerScenario(url: string, scenario: string, revision: Revision): Promise<Results> {
  return inFolder(async (folder) => {
    await command(serverScenario(url, scenario, revision, folder))
    return readResults(folder, 'server-')
  })
}

const serverScenario = (url: string, scenario: string, revision: Revision, folder: string) => [
  'server',
  '--url',
  url,
  '-o',
  folder,
  '--scenario',
  scenario,
  '--spec-version',
  revision,
  '--force',
]

export interface ClientResult {
  checks: Check[]
  /** 0 when every check succeeded and the client ended well. */
  exitCode: number
  output: string
}

/** Runs one scenario in which the suite is the server and the command, with the URL appended, the client. */
export async function runClientScenario(
  client: string,
  scenario: string,
  revision: Revision,
  env: Record<string, string>,
): Promise<ClientResult> {
  return inFolder(async (folder) => {
    const args = ['client', '--command', client, '--scenario', scenario, '--spec-version', revision, '-o', folder]
    const { exitCode, output } = await command(args, env)
    return { checks: (await readResults(folder, '')).get(scenario) ?? [], exitCode, output }
  })
}

async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'vmcp-conformance-'))
  try {
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function command(args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [SUITE_COMMAND, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1', ...env },
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  }
  const [exitCode] = (await once(child, 'close')) as [number | null]
  return { exitCode: exitCode ?? -1, output }
}

/** The suite writes each scenario into a folder of its name, with the time of day behind it. */
const STAMP = /-\d{4}-\d{2}-\d{2}T[\d-]+Z$/

async function readResults(folder: string, prefix: string): Promise<Results> {
  const results: Results = new Map()
  for (const path of await readdir(folder, { recursive: true })) {
    if (!path.endsWith('checks.json')) continue
    const scenario = path.slice(prefix.length, -'/checks.json'.length).replace(STAMP, '')
    results.set(scenario, JSON.parse(await readFile(join(folder, path), 'utf8')) as Check[])
  }
  return results
}
