import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { type Fault, fileError } from '../../config/faults.ts'
import { formatFault } from '../../config/format.ts'
import { defaultInputs } from '../../config/load.ts'
import { parseDocument } from '../../config/parse/document.ts'
import { get, joinPath, type Located, map, positionOf } from '../../config/positions.ts'
import type { Problem, WorkflowCase } from '../../workflow/testing/case.ts'
import { CliError, EXIT } from '../exit.ts'
import { fieldsOf, itemsOf, listOf, type Reader, textOf, wrongAt } from './fields.ts'
import { readCase } from './read-case.ts'

export interface CaseFile {
  readonly file: string
  /** The configuration that has the workflows: paths of files or folders. */
  readonly config: readonly string[]
  readonly cases: readonly FiledCase[]
}

/** A case, and where it stands. */
export interface FiledCase extends WorkflowCase {
  readonly node: Located
}

/** The format, for the help. */
export const WORKFLOW_CASES_FORMAT = [
  'test reads {config: FILE, cases: [...]}, or NAME.workflow.test.yaml (.yml, .json) with cases: beside NAME.yaml:',
  '  config: vmcp.yaml               # or a list; not needed beside NAME, vmcp.yaml or mcp.json',
  '  cases:',
  '    - name: pushes when asked to  # optional, as all but workflow is',
  '      workflow: release           # the composite tool',
  '      arguments: {branch: main}',
  '      now: 2026-01-31T09:00:00Z   # when it takes place',
  '      tools:                      # what tools answer, by step (each[0] in loops, inner.push in workflows) or tool',
  '        git_push: {output: {sha: abc}}   # or text: ..., content: [...], error: ...',
  '        fetch:                    # a list has one answer for each call, attempts included',
  '          - {error: busy, takes: 3s}     # takes: how long it takes, without anybody waiting',
  '          - {text: done, when: {arguments: {url: x}}}   # when: only for arguments that have this in them',
  '      real: [git_log]             # tools or steps that are really called; true: all that have no canned answer',
  '      answers:                    # what the user answers, by step',
  '        approve: {action: accept, content: {ok: true}}  # or decline, cancel',
  '      expect:',
  '        status: completed         # or failed, timed_out, and then error: part of the message',
  '        output: {sha: abc}        # these members; with exactly: true no others',
  '        steps:',
  '          push: completed         # or failed, skipped, cancelled',
  '          fetch: {status: completed, arguments: {url: x}, output: {}, error: text}',
  '        calls: [fetch, fetch, git_push]   # all calls in order; or {git_push: 1}: how often',
]

/** Reads files of cases, or for a configuration what stands beside it. Throws a `CliError` that names the first slip. */
export function readWorkflowCases(files: readonly string[]): CaseFile[] {
  return files.map((file) => {
    const documents = documentsIn(file)
    if (isCases(file, documents)) return casesOf(file, documents)
    const name = join(dirname(file), basename(file, extname(file)))
    const beside = ENDINGS.map((ending) => `${name}.workflow.test${ending}`).find((one) => existsSync(one))
    if (beside !== undefined) return casesOf(beside, documentsIn(beside))
    const hint = `write cases: [{workflow: NAME, arguments: {...}, tools: {...}}] into ${basename(name)}.workflow.test.yaml`
    throw new CliError(EXIT.config, `${file} has no cases, and no file of tests stands beside it`, hint)
  })
}

/** What a case has failed of, where it stands in its file. */
export function problemFault({ node }: FiledCase, { path, message, hint }: Problem): Fault {
  const { path: start } = node.at
  return fileError(
    { ...positionOf(node, path), path: path.reduce<string>((text, step) => joinPath(text, step), start) },
    message,
    hint,
  )
}

const ENDINGS = ['.yaml', '.yml', '.json']
const TEST = /(?:\.workflow)?\.test$/u

const isCases = (file: string, [document]: readonly Located[]): boolean =>
  get(document, 'cases') !== undefined || TEST.test(basename(file, extname(file)))

function casesOf(file: string, [document = nothingIn(file), another]: readonly Located[]): CaseFile {
  if (another) throw wrongAt(another.at, 'a file of cases is one document')
  const { config = defaultsOf(file), cases } = fieldsOf(document, 'a file of cases', {
    config: configOf,
    cases: itemsOf,
  })
  if (!cases || cases.length === 0) {
    throw wrongAt(get(document, 'cases')?.at ?? document.at, 'cases must be a list of cases')
  }
  if (config.length === 0) {
    throw wrongAt(document.at, 'config must name the configuration that is tested', 'config: vmcp.yaml')
  }
  return {
    file,
    config: config.map((one) => resolve(dirname(file), one)),
    cases: cases.map((node) => ({ ...readCase(node), node })),
  }
}

const configOf: Reader<string[]> = (node, what) =>
  node.kind === 'list' ? listOf(textOf)(node, what) : [textOf(node, what)]

/** What is tested when the file does not say: what it is called after, else what stands beside it. */
function defaultsOf(file: string): string[] {
  const folder = dirname(file)
  const name = basename(file, extname(file)).replace(TEST, '')
  const named = ENDINGS.map((ending) => `${name}${ending}`).find(
    (one) => one !== basename(file) && existsSync(join(folder, one)),
  )
  return named === undefined ? defaultInputs(folder) : [named]
}

function documentsIn(file: string): readonly Located[] {
  let bytes: Buffer
  try {
    bytes = readFileSync(file)
  } catch (error) {
    throw new CliError(EXIT.config, `cannot read ${file}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`)
  }
  const { documents, faults } = parseDocument(file, bytes)
  const fault = faults.find(({ severity }) => severity === 'error')
  if (fault) throw new CliError(EXIT.config, formatFault(fault))
  return documents
}

const nothingIn = (file: string): Located => map({ file, line: 1, column: 1, path: '' })
