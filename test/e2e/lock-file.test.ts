import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const text = readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8')

interface Locked {
  optionalDependencies?: Record<string, string>
}

test('the lock file names every optional package, so that npm ci takes it on every platform', () => {
  const { packages } = JSON.parse(text) as { packages: Record<string, Locked> }
  const locked = new Set(Object.keys(packages).map((path) => path.slice(path.lastIndexOf('node_modules/') + 13)))
  const missing = Object.values(packages).flatMap(({ optionalDependencies = {} }) =>
    Object.keys(optionalDependencies).filter((name) => !locked.has(name)),
  )
  expect(missing, 'run: npm run lock').toEqual([])
})

test('the lock file carries no download addresses', () => {
  expect(text).not.toContain('"resolved"')
})
