// Adds to package-lock.json the optional packages of other platforms that a registry does not have, as npm itself would
// have written them, without a hash. Without these entries `npm ci` refuses the lock file as out of step. Run it after
// every `npm install`: npm run lock
import { readFileSync, writeFileSync } from 'node:fs'

const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const PROCESSORS = ['arm', 'arm64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64']

const file = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(file, 'utf8'))
const { '': root, ...packages } = lock.packages

let added = 0
for (const [path, { dev, optionalDependencies = {} }] of Object.entries(packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    if (isLocked(path, name)) continue
    packages[`node_modules/${name}`] = entryOf(name, version, dev)
    added++
  }
}

const sorted = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1)))
writeFileSync(file, `${JSON.stringify({ ...lock, packages: { '': root, ...sorted } }, null, 2)}\n`)
console.log(`${added} optional packages of other platforms added to package-lock.json`)

/** Node looks in the folder of the package and in every one above. */
function isLocked(from, name) {
  for (let folder = from; ; folder = folder.slice(0, folder.lastIndexOf('node_modules/')).replace(/\/$/, '')) {
    if (packages[`${folder === '' ? '' : `${folder}/`}node_modules/${name}`]) return true
    if (folder === '') return false
  }
}

function entryOf(name, version, dev) {
  const words = name.split(/[-/]/)
  const os = words.filter((word) => SYSTEMS.includes(word)).slice(0, 1)
  const cpu = words.filter((word) => PROCESSORS.includes(word)).slice(0, 1)
  return {
    version,
    ...(cpu.length > 0 && { cpu }),
    ...(dev && { dev }),
    ...(words.some((word) => word.startsWith('musl')) && { libc: ['musl'] }),
    optional: true,
    ...(os.length > 0 && { os }),
  }
}
