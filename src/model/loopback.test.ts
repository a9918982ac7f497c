import { expect, test } from 'vitest'
import { isLoopbackAddress, isLoopbackName, isLoopbackUrl } from './loopback.ts'

test.each(['localhost', 'LocalHost', '127.0.0.1', '127.9.8.7', '::1', '[::1]'])('the name %s is loopback', (name) => {
  expect(isLoopbackName(name)).toBe(true)
})

test.each([
  '',
  'localhost.',
  'a.localhost',
  '127.0.0.1.',
  '127.0.0',
  '127.0.0.256',
  '127.0.0.1.evil',
  '127.evil.example',
  '0.0.0.0',
  '::',
  '[::1]x',
  '[::1',
  '[localhost]',
  '[127.0.0.1]',
  '::ffff:127.0.0.1',
  '[::ffff:7f00:1]',
  '1127.0.0.1',
])('the name %j is not', (name) => {
  expect(isLoopbackName(name)).toBe(false)
})

test.each([
  ['::ffff:127.0.0.1', true],
  ['::ffff:7f00:1', true],
  ['::ffff:127.evil.example', false],
  ['::ffff:10.0.0.1', false],
  ['::ffff:7f00:1:1', false],
  ['[::1]', false],
  ['localhost', false],
])('whether the address %s is loopback: %s', (address, local) => {
  expect(isLoopbackAddress(address)).toBe(local)
})

test.each([
  ['http://127.0.0.1:1/', true],
  ['http://127.1/', true],
  ['http://[::1]/', true],
  ['http://[::ffff:127.0.0.1]/', true],
  ['https://localhost/x', true],
  ['http://a.localhost/', true],
  ['http://localhost.example/', false],
  ['http://127.evil.example/', false],
  ['http://127.0.0.1.evil.example/', false],
  ['https://8.8.8.8/', false],
  ['nonsense', false],
])('whether %s names this machine: %s', (url, local) => {
  expect(isLoopbackUrl(url)).toBe(local)
})
