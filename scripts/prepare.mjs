// Builds dist/ after `npm ci`. Plain JavaScript for the oldest Node that npm may bring.
import { spawnSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'

const node = process.platform === 'win32' ? 'node_modules/node/bin/node.exe' : 'node_modules/node/bin/node'
if (!existsSync(node)) {
  console.error(
    'vmcp: node_modules/.bin/node is missing: npm did not run the install script of the package "node". ' +
      'Allow it (package.json lists it under "allowScripts") and run `npm ci` again.',
  )
  process.exit(1)
}
// What an earlier build left of files that are gone would be packed.
rmSync('dist', { recursive: true, force: true })
const tsc = 'node_modules/typescript/bin/tsc'
const { status } = spawnSync(node, [tsc, '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
process.exit(status ?? 1)
