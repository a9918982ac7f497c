import { expect, test } from 'vitest'
import { filesFirst } from './configuration.ts'

const HERE = import.meta.filename

test.each<[string[], string[], string[]]>([
  [[], [], []],
  [[HERE, 'release'], [HERE], ['release']],
  [['gone.yaml', 'release'], ['gone.yaml'], ['release']],
  [
    ['gone.JSON', HERE, 'release', '{"a":"b/c"}'],
    ['gone.JSON', HERE],
    ['release', '{"a":"b/c"}'],
  ],
  [['./gone', '/gone', 'release'], ['./gone', '/gone'], ['release']],
  [['release', 'gone.yaml'], [], ['release', 'gone.yaml']],
  [['-', 'gone.yaml'], [], ['-', 'gone.yaml']],
  [['{"a":"b/c.json'], [], ['{"a":"b/c.json']],
])('%j: files are %j', (positionals, files, rest) => {
  expect(filesFirst(positionals)).toEqual({ files, rest })
})
