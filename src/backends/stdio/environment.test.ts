import { expect, test } from 'vitest'
import { minimalEnvironment } from './environment.ts'

test('a process inherits what it needs to run and no secret', () => {
  const source = {
    PATH: '/bin',
    HOME: '/home/me',
    LANG: 'C',
    AWS_SECRET_ACCESS_KEY: 's',
    NODE_OPTIONS: '--x',
    FOO: '1',
  }
  expect(minimalEnvironment(source, 'linux')).toEqual({ PATH: '/bin', HOME: '/home/me', LANG: 'C' })
  expect(minimalEnvironment(source, 'darwin')).toEqual({ PATH: '/bin', HOME: '/home/me', LANG: 'C' })
})

test('Windows has variables of its own', () => {
  const source = { PATH: 'C:\\bin', SYSTEMROOT: 'C:\\Windows', HOME: 'x', SECRET: 's' }
  expect(minimalEnvironment(source, 'win32')).toEqual({ PATH: 'C:\\bin', SYSTEMROOT: 'C:\\Windows' })
})

test('exported shell functions stay behind, empty values do not', () => {
  expect(minimalEnvironment({ SHELL: '() { evil; }', TERM: '' }, 'linux')).toEqual({ TERM: '' })
})
