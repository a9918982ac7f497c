import { existsSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import { formatFault } from '../../config/format.ts'
import { parseDocument } from '../../config/parse/document.ts'
import { get, type Located, map, type Position } from '../../config/positions.ts'
import { CliError, EXIT } from '../exit.ts'
import { readOrExit } from '../read-file.ts'
import { fieldsOf, itemsOf, type Read, type Readers, wrongAt } from './fields.ts'

/** A file of cases: one document that has `cases`. */
interface CaseFile<Fields extends Readers> {
  readonly file: string
  readonly at: Position
  /** What it has besides. */
  readonly fields: Read<Fields>
  /** At least one. */
  readonly cases: readonly Located[]
}

export interface CaseFormat<Fields extends Readers> {
  /** What the name of a file of cases has beyond that of the file that it stands beside. */
  readonly suffix: '.test' | '.workflow.test'
  /** One case, for those who have none. */
  readonly example: string
  readonly fields: Fields
}

export const ENDINGS = ['.yaml', '.yml', '.json']

/** `release` of `tests/release.workflow.test.yaml`. */
export const subjectName = (file: string): string => stemOf(file).replace(TEST, '')

/**
 * Reads the file itself when it holds cases, else the one that stands beside it. Throws a `CliError` when there is none,
 * or one that names the first slip.
 */
export function readCaseFile<Fields extends Readers>(file: string, format: CaseFormat<Fields>): CaseFile<Fields> {
  const { suffix, example, fields } = format
  const documents = extname(file) === '.cedar' ? [] : documentsIn(file)
  if (get(documents[0], 'cases') || TEST.test(stemOf(file))) return casesIn(file, documents, fields)
  const expected = stemOf(file) + suffix
  const beside = ENDINGS.map((ending) => join(dirname(file), expected + ending)).find((one) => existsSync(one))
  if (beside !== undefined) return casesIn(beside, documentsIn(beside), fields)
  throw new CliError(
    EXIT.config,
    `${file} has no cases, and no file of tests stands beside it`,
    `write cases: [${example}] into ${expected}.yaml`,
  )
}

const TEST = /(?:\.workflow)?\.test$/u

const stemOf = (file: string): string => basename(file, extname(file))

function casesIn<Fields extends Readers>(
  file: string,
  [root = nothingIn(file), another]: readonly Located[],
  fields: Fields,
): CaseFile<Fields> {
  if (another) throw wrongAt(another.at, 'a file of cases is one document')
  const read: Read<Fields> & { cases?: readonly Located[] } = fieldsOf(root, 'a file of cases', {
    ...fields,
    cases: itemsOf,
  })
  const { cases = [] } = read
  if (cases.length === 0) throw wrongAt(get(root, 'cases')?.at ?? root.at, 'cases must be a list of cases')
  return { file, at: root.at, fields: read, cases }
}

function documentsIn(file: string): readonly Located[] {
  const { documents, faults } = parseDocument(file, readOrExit(file, EXIT.config))
  const fault = faults.find(({ severity }) => severity === 'error')
  if (fault) throw new CliError(EXIT.config, formatFault(fault))
  return documents
}

const nothingIn = (file: string): Located => map({ file, line: 1, column: 1, path: '' })
