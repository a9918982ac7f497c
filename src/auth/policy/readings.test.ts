import { expect, test } from 'vitest'
import { otherReadings } from './readings.ts'

test.each([
  'docs://open/a',
  'docs://open/a.b/..c/.hidden/d..',
  'docs://open/a?path=../b#../c',
  'docs://open/a%20b%2Fc%5Cd',
  'docs://open/100%25',
  'file:///srv/open/a',
  'skill:a',
  'a',
  '',
])('%s means only one thing', (uri) => {
  expect(otherReadings(uri)).toEqual([])
})

test.each<[uri: string, ...readings: string[]]>([
  ['docs://open/../closed/b', 'docs://closed/b', 'docs://open/closed/b'],
  ['docs://open/./a', 'docs://open/a'],
  ['docs://open/a/..', 'docs://open/'],
  ['docs://open/%2e%2E/closed/b', 'docs://open/../closed/b', 'docs://closed/b', 'docs://open/closed/b'],
  ['docs://open/..%2fclosed', 'docs://closed', 'docs://open/closed'],
  ['docs://open/%252e%252e/closed', 'docs://closed', 'docs://open/closed'],
  ['docs://open\\..\\closed', 'docs://closed', 'docs://open/closed'],
  ['docs://open//../closed', 'docs://open/closed', 'docs://closed'],
  ['docs://open/../../../etc/passwd', 'docs://etc/passwd', 'docs://open/etc/passwd'],
  ['docs://open/a?/../../closed', 'docs://closed'],
  ['docs://open/x/../a?/..', 'docs://open/a?/..', 'docs://open/'],
  ['file:///srv/open/../closed', 'file:///srv/closed'],
  ['file:///../etc', 'file:///etc'],
  ['skill:open/../closed', 'skill:closed'],
  ['../closed', 'closed'],
  ['docs://%63losed/b', 'docs://closed/b'],
  ['DOCS://Open/b', 'docs://Open/b'],
])('%s could mean %s', (uri, ...readings) => {
  expect(otherReadings(uri)?.toSorted()).toEqual(readings.toSorted())
})

test('what is encoded over and over means nothing', () => {
  expect(otherReadings(`docs://open/%${'25'.repeat(3)}2e`)).toBeUndefined()
})

test.each(['A', '%2e', '%25', '/..', '\\', '../', '//', ':', '?'])('a long run of %s is read in a moment', (part) => {
  const uri = part.repeat(65_536 / part.length)
  const cpu = process.cpuUsage()
  otherReadings(uri)
  otherReadings(`docs://${uri}`)
  expect(process.cpuUsage(cpu).user / 1000).toBeLessThan(200)
})
