import { existsSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { type Fault, fileError } from '../../config/faults.ts'
import { defaultInputs } from '../../config/load.ts'
import { joinPath, type Located, positionOf } from '../../config/positions.ts'
import type { Problem, WorkflowCase } from '../../workflow/testing/case.ts'
import { ENDINGS, readCaseFile, subjectName } from '../cases/case-file.ts'
import { listOf, type Reader, textOf, wrongAt } from '../cases/fields.ts'
import { readCase } from './read-case.ts'

export interface WorkflowCaseFile {
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
export const readWorkflowCases = (files: readonly string[]): WorkflowCaseFile[] =>
  files.map((given) => {
    const { file, at, fields, cases } = readCaseFile(given, WORKFLOW_CASES)
    const { config = defaultsOf(file) } = fields
    if (config.length === 0) {
      throw wrongAt(at, 'config must name the configuration that is tested', 'config: vmcp.yaml')
    }
    return {
      file,
      config: config.map((one) => resolve(dirname(file), one)),
      cases: cases.map((node) => ({ ...readCase(node), node })),
    }
  })

/** What a case has failed of, where it stands in its file. */
export function problemFault({ node }: FiledCase, { path, message, hint }: Problem): Fault {
  const { path: start } = node.at
  return fileError(
    { ...positionOf(node, path), path: path.reduce<string>((text, step) => joinPath(text, step), start) },
    message,
    hint,
  )
}

const configOf: Reader<string[]> = (node, what) =>
  node.kind === 'list' ? listOf(textOf)(node, what) : [textOf(node, what)]

const WORKFLOW_CASES = {
  suffix: '.workflow.test',
  example: '{workflow: NAME, arguments: {...}, tools: {...}}',
  fields: { config: configOf },
} as const

/** What is tested when the file does not say: what it is called after, else what stands beside it. */
function defaultsOf(file: string): string[] {
  const folder = dirname(file)
  const name = subjectName(file)
  const named = ENDINGS.map((ending) => `${name}${ending}`).find(
    (one) => one !== basename(file) && existsSync(join(folder, one)),
  )
  return named === undefined ? defaultInputs(folder) : [named]
}
