import { execFile } from 'node:child_process'
import { cp, mkdir, readdir, readFile, stat, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** Runs npm to its end. Resolves with standard output. */
export async function npm(args: readonly string[], cwd: string): Promise<string> {
  const windows = process.platform === 'win32'
  const { stdout } = await promisify(execFile)('npm', [...args], { cwd, shell: windows, maxBuffer: 2 ** 26 })
  return stdout
}

/** What a build reads, copied into an empty folder: nothing of an earlier build, and nobody else's `dist` is touched. */
export async function copySources(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  const names = ['package.json', 'package-lock.json', '.npmrc', 'README.md', 'LICENSE', 'src', 'scripts']
  for (const name of [...names, 'tsconfig.json', 'tsconfig.build.json']) {
    await cp(join(ROOT, name), join(folder, name), { recursive: true })
  }
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
}

/** Names of the packages below `node_modules` of a folder, as npm recorded them. */
export async function installedIn(folder: string): Promise<string[]> {
  const lock = await readFile(join(folder, 'node_modules/.package-lock.json'), 'utf8')
  const { packages } = JSON.parse(lock) as { packages: Record<string, unknown> }
  return Object.keys(packages).map((path) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length))
}

/** Bytes of all files in a folder and below. */
export async function sizeOf(folder: string): Promise<number> {
  let total = 0
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) total += (await stat(join(entry.parentPath, entry.name))).size
  }
  return total
}
