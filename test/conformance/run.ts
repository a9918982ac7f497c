import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { DEMANDED, SUITE_COMMAND, type Revision } from './requirements.ts'

export interface Check {
  id: string
  name: string
  status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'SKIPPED' | 'INFO'
  description?: string
  errorMessage?: string
  details?: Record<string, unknown>
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
  /** What the command for the client wrote to stdout. */
  output: string
}

/** Runs what the suite has for clients of the revision, all at once, and the command, with a URL appended, for each. */
export function runClientSuite(
  client: string,
  revision: Revision,
  env: Record<string, string>,
): Promise<Map<string, ClientResult>> {
  return runClients(['client', '--command', client, '--requirements', revision, '--timeout', String(LIMIT_MS)], env)
}

/** Runs one scenario of those, or another one. `revision`: also one that only the suite knows. */
export async function runClientScenario(
  client: string,
  scenario: string,
  revision: string,
  env: Record<string, string>,
): Promise<ClientResult | undefined> {
  const args = ['client', '--command', client, '--scenario', scenario, '--spec-version', revision]
  return (await runClients(args, env)).get(scenario)
}

async function runClients(args: readonly string[], env: Record<string, string>): Promise<Map<string, ClientResult>> {
  return inFolder(async (folder) => {
    await command([...args, '-o', folder], env)
    const outputs = await readFiles(folder, '', 'stdout.txt')
    const results = await readResults(folder, '')
    return new Map(
      [...results].map(([scenario, checks]) => [scenario, { checks, output: outputs.get(scenario) ?? '' }]),
    )
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

/** Resolves when it has ended, however it ended: what counts is what it has written. */
async function command(args: readonly string[], env: Record<string, string> = {}): Promise<void> {
  const child = spawn(process.execPath, [SUITE_COMMAND, ...args], {
    stdio: 'ignore',
    env: { ...process.env, NO_COLOR: '1', ...env },
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
  })
  await once(child, 'close')
}

/** The suite writes each scenario into a folder of its name, with the time of day behind it. */
const STAMP = /-\d{4}-\d{2}-\d{2}T[\d-]+Z$/

async function readResults(folder: string, prefix: string): Promise<Results> {
  const files = await readFiles(folder, prefix, 'checks.json')
  return new Map([...files].map(([scenario, text]) => [scenario, JSON.parse(text) as Check[]]))
}

/** Files of this name by scenario. */
async function readFiles(folder: string, prefix: string, name: string): Promise<Map<string, string>> {
  const files = new Map<string, string>()
  for (const path of await readdir(folder, { recursive: true })) {
    if (!path.endsWith(`/${name}`)) continue
    const scenario = dirname(path).slice(prefix.length).replace(STAMP, '')
    files.set(scenario, await readFile(join(folder, path), 'utf8'))
  }
  return files
}
