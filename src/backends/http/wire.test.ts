import { expect, test } from 'vitest'
import { Secret } from '../../model/secret.ts'
import { HttpWire, networkFault } from './wire.ts'

async function made(url: string): Promise<{ address: string; authorization: string | undefined }> {
  const wire = new HttpWire({ url, headers: { 'x-own': new Secret('1') } })
  const headers = wire.headers([])
  await wire.close()
  const encoded = headers[headers.indexOf('authorization') + 1]?.replace('Basic ', '')
  const authorization = headers.includes('authorization') ? Buffer.from(encoded ?? '', 'base64').toString() : undefined
  return { address: wire.address, authorization }
}

test.each([
  ['http://host:8080/s/KEY/mcp?token=KEY', 'http://host:8080'],
  ['https://user:KEY@host.example/KEY', 'https://host.example'],
  ['http://[::1]:9/mcp', 'http://[::1]:9'],
])('the address of %s is its origin', async (url, address) => {
  expect((await made(url)).address).toBe(address)
  expect(networkFault({ code: 'ECONNREFUSED' }, address).message).toBe(
    `connection refused at ${address} (is the server running?)`,
  )
})

test.each([
  ['http://host/mcp', undefined],
  ['http://user:p%40ss@host/mcp', 'user:p@ss'],
  ['http://user:100%@host/mcp', 'user:100%'],
  ['http://a%zz:b@host/mcp', 'a%zz:b'],
  ['http://:token@host/mcp', ':token'],
])('the user info of %s', async (url, expected) => {
  expect((await made(url)).authorization).toBe(expected)
})

test.each([
  '',
  'KEY',
  'http://',
  'http://user:KEY@ho st/',
  'http://host:99999/KEY',
  'ftp://host/KEY',
  'http://%zz/KEY',
])('the url "%s" is refused without being repeated', (url) => {
  const make = () => new HttpWire({ url, headers: {} })
  expect(make).toThrow(expect.objectContaining({ code: 'BACKEND_UNREACHABLE' }))
  expect(make).toThrow(/is not a valid URL/)
  expect(make).not.toThrow(/KEY/)
})
