import { existsSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { STDIN } from './backends.ts'
import type { Fault } from './faults.ts'
import { wholeFile } from './parse/document.ts'
import { MAX_FILE_BYTES } from './parse/limits.ts'

/** One file of a configuration. */
export interface Source {
  /** As the user would write it; it names the file in faults. */
  file: string
  bytes: Buffer | string
  /** The user named this very file, rather than a folder around it. */
  explicit: boolean
}

export interface Sources {
  sources: Source[]
  faults: Fault[]
  /** Absolute paths of all files and folders looked at. */
  files: string[]
}

/** Used without any argument: the first of these in the working folder. */
const DEFAULTS = ['vmcp.yaml', 'mcp.json', '.mcp.json']

/** The inputs of a command without any: a list with the first default file that exists, or an empty one. */
export const defaultInputs = (cwd: string): string[] =>
  DEFAULTS.filter((file) => existsSync(resolve(cwd, file))).slice(0, 1)

const EXTENSIONS = /\.(ya?ml|json)$/iu

export interface ReadOptions {
  cwd: string
  recursive: boolean
  stdin: string | undefined
}

/** Reads files, folders (flat, or down with `recursive`) and `-`. What cannot be read becomes a fault. */
export async function readInputs(inputs: readonly string[], options: ReadOptions): Promise<Sources> {
  const result: Sources = { sources: [], faults: [], files: [] }
  for (const input of new Set(inputs)) {
    if (input === '-') result.sources.push({ file: STDIN, bytes: options.stdin ?? '', explicit: true })
    else await readPath(input, true, options, result)
  }
  return result
}

async function readPath(path: string, explicit: boolean, options: ReadOptions, result: Sources): Promise<void> {
  const absolute = resolve(options.cwd, path)
  if (result.files.includes(absolute)) return
  result.files.push(absolute)
  try {
    const status = await stat(absolute)
    if (status.isDirectory()) await readFolder(path, absolute, options, result)
    else if (status.size > MAX_FILE_BYTES) {
      result.faults.push(wholeFile(path, `larger than ${MAX_FILE_BYTES / 2 ** 20} MiB`))
    } else result.sources.push({ file: path, bytes: await readFile(absolute), explicit })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error)
    result.faults.push(
      code === 'ENOENT'
        ? wholeFile(path, 'there is no such file or folder', 'vmcp init writes a first configuration')
        : wholeFile(path, `cannot be read (${code})`),
    )
  }
}

async function readFolder(path: string, absolute: string, options: ReadOptions, result: Sources): Promise<void> {
  const entries = await readdir(absolute, { withFileTypes: true })
  const names = entries.map((entry) => entry.name).sort()
  const folders = new Set(entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name))
  for (const name of names) {
    const child = join(path, name)
    if (!folders.has(name)) {
      if (EXTENSIONS.test(name)) await readPath(child, false, options, result)
    } else if (options.recursive && name !== 'node_modules' && name !== '.git') {
      await readPath(child, false, options, result)
    }
  }
}
