import { realpath } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Machine } from '../clients.ts'
import { EXIT, usageError } from '../exit.ts'
import { paintFor } from '../terminal.ts'
import { confirm } from './confirm.ts'
import { type Entry, leadsToGateway } from './entry.ts'
import { examine } from './examine.ts'
import { merge } from './merge.ts'
import { type Output, readOutput, refuseIfChanged, render, writeAtomically } from './output.ts'
import { plan, type PlannedServer } from './plan.ts'
import { filesFound, preview, shortPath } from './preview.ts'
import { type LeftOut, type Scan, scan } from './scan.ts'
import { finished, nothingFound } from './words.ts'

/** Where `vmcp init` runs. */
export interface Surroundings extends Machine {
  stdin: NodeJS.ReadableStream & { isTTY?: boolean }
  stdout: NodeJS.WritableStream & { isTTY?: boolean }
  stderr: NodeJS.WritableStream & { isTTY?: boolean }
}

export interface InitOptions {
  /** Relative to the working folder; `-` prints the file instead of writing it. */
  output: string
  /** Write without asking. */
  yes: boolean
}

const EMPTY: Omit<Output, 'file'> = { root: {}, servers: new Map(), commented: false }

/**
 * Gathers the servers of all clients of this machine into one file, after showing it and asking. Client files are only
 * read. Resolves with the exit code; throws a `CliError` when the output cannot be used.
 */
export async function init(options: InitOptions, around: Surroundings): Promise<number> {
  const printed = options.output === '-'
  const path = resolve(around.cwd, options.output)
  // Standard output belongs to the file when that is where it goes.
  const show = printed ? around.stderr : around.stdout
  const say = (text: string): void => void show.write(`${text}\n`)

  const found = await scan(around)
  if (!printed) await refuseClientFile(path, found)
  const output = printed ? { file: path, ...EMPTY } : await readOutput(path)
  const { usable, leftOut } = await sift(found, around)
  if (found.files.length > 0) say(`${filesFound(found, around, paintFor(show))}\n`)
  if (usable.length === 0) {
    around.stderr.write(`${nothingFound(found, leftOut, around)}\n`)
    return EXIT.failed
  }

  const servers = plan(merge(usable, output.servers), output.servers)
  const shown = printed ? 'The file' : shortPath(path, around)
  const examinations = await examineAll(servers, around)
  const exists = output.text !== undefined
  const { commented } = output
  say(preview({ output: shown, exists, commented, servers, leftOut, examinations }, paintFor(show)))

  const text = render(output.root, servers)
  if (printed) {
    around.stdout.write(text)
    return EXIT.ok
  }
  if (exists && servers.every(({ change }) => change === 'same' || change === 'kept')) {
    say(`\n${shown} holds all of it already; nothing to write.`)
    return EXIT.ok
  }
  say('')
  const answer = options.yes ? 'yes' : await ask(`Write ${shown}? [y/N] `, around)
  if (answer !== 'yes') {
    if (answer === 'unasked') around.stderr.write(`Nothing was written: vmcp init --yes writes without asking.\n`)
    else say('Nothing was written.')
    return answer === 'interrupted' ? EXIT.interrupted : EXIT.failed
  }
  await refuseIfChanged(path, output)
  await writeAtomically(output.file, text)
  say(finished(shown, options.output))
  return EXIT.ok
}

/** Through whatever links: a client's own file is never written. */
async function refuseClientFile(path: string, { looked }: Scan): Promise<void> {
  const real = (file: string) => realpath(file).catch(() => file)
  const target = await real(path)
  for (const { file, client } of looked) {
    if (file === path || (await real(file)) === target) {
      throw usageError(`--output names a file of ${client.title}, which vmcp init only reads`, 'init')
    }
  }
}

/** The entries that a gateway can use, and why not the others: one that it refuses would spoil the whole file. */
async function sift(found: Scan, machine: Machine): Promise<{ usable: Entry[]; leftOut: LeftOut[] }> {
  const usable: Entry[] = []
  const leftOut = [...found.leftOut]
  for (const entry of found.entries) {
    const why = await objection(entry, machine)
    if (why === undefined) usable.push(entry)
    else leftOut.push({ name: entry.name, client: entry.client, why })
  }
  return { usable, leftOut }
}

async function objection({ name, definition }: Entry, { env, cwd }: Machine): Promise<string | undefined> {
  if (leadsToGateway(definition)) return 'leads to vmcp itself'
  const { transport, misunderstood } = await examine(name, definition, { env, folder: cwd })
  if (transport !== undefined) return undefined
  return misunderstood.length > 0 ? `not understood: ${misunderstood.join(', ')}` : 'has neither a command nor a url'
}

async function examineAll(servers: readonly PlannedServer[], { env, cwd }: Machine) {
  const pairs = servers.map(
    async ({ name, definition }) => [name, await examine(name, definition, { env, folder: cwd })] as const,
  )
  return new Map(await Promise.all(pairs))
}

async function ask(question: string, { stdin, stdout, stderr }: Surroundings) {
  if (stdin.isTTY !== true) return 'unasked'
  return confirm(question, { input: stdin, output: stdout.isTTY === true ? stdout : stderr })
}
