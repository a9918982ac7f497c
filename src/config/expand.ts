import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Step } from './positions.ts'

/** What references may draw on. */
export interface Surroundings {
  env: NodeJS.ProcessEnv
  /** Folder of the file in which the text stands: `${file:PATH}` starts there. */
  folder: string
  /** Told of every file that is read. */
  onRead: (file: string) => void
}

export interface Problem {
  message: string
  hint: string
}

const REFERENCE = /\$\$\{|\$\{([^}]*)(\}|$)/gu
const VARIABLE = /^(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/su
const FILE = /^file:(.+)$/su
const PROMPT = /^input:(.*)$/su

/**
 * Replaces `${VAR}`, `${env:VAR}`, `${VAR:-default}` (used when unset or empty) and `${file:PATH}` (without the
 * file's last line break); `$${` is a literal `${`. What cannot be replaced is named in `problems`.
 */
export function expand(text: string, around: Surroundings): { value: string; problems: Problem[] } {
  const problems: Problem[] = []
  const value = text.replaceAll(REFERENCE, (whole, inner: string | undefined, close: string | undefined) => {
    if (inner === undefined) return '${'
    if (close === '') {
      problems.push({ message: 'a "${" is never closed', hint: 'write "$${" for a literal "${"' })
      return ''
    }
    const result = lookUp(inner, around)
    if (typeof result === 'string') return result
    problems.push(result.message === '' ? malformed(whole) : result)
    return ''
  })
  return { value, problems }
}

/** Whether anything would be replaced in a text, or is written so that nothing is. */
export const hasReference = (text: string): boolean => text.includes('${')

/**
 * The same value with the references of every text in it replaced. A text that has a problem, or comes to nothing,
 * stays as it is written, so that nothing is taken for missing besides; `complain` is told where in the value it is.
 */
export function expandTexts<Value>(
  value: Value,
  around: Surroundings,
  complain: (steps: readonly Step[], problem: Problem) => void,
): Value {
  const walk = (node: unknown, steps: readonly Step[]): unknown => {
    if (typeof node === 'string') return hasReference(node) ? replaced(node, steps) : node
    if (Array.isArray(node)) return node.map((item, index) => walk(item, [...steps, index]))
    if (typeof node !== 'object' || node === null) return node
    return Object.fromEntries(Object.entries(node).map(([key, inner]) => [key, walk(inner, [...steps, key])]))
  }
  const replaced = (text: string, steps: readonly Step[]): string => {
    const { value, problems } = expand(text, around)
    // It would be shown in place of a secret, or mean that anything will do.
    if (value === '' && problems.length === 0) problems.push(EMPTY)
    for (const problem of problems) complain(steps, problem)
    return problems.length === 0 ? value : text
  }
  return walk(value, []) as Value
}

const EMPTY: Problem = {
  message: 'the value is empty once its references are replaced',
  hint: 'check the variable or file it comes from',
}

/** A text that expands to itself. */
// A function, because a replacement text has dollar signs of its own.
export const literal = (text: string): string => text.replaceAll('${', () => '$${')

function lookUp(inner: string, around: Surroundings): string | Problem {
  const variable = VARIABLE.exec(inner)
  if (variable) {
    const [, name = '', fallback] = variable
    const value = lookUpVariable(around.env, name)
    if (fallback !== undefined && (value === undefined || value === '')) return fallback
    return value ?? unset(name)
  }
  const file = FILE.exec(inner)
  if (file) return readReference(resolve(around.folder, file[1] ?? ''), around)
  const prompt = PROMPT.exec(inner)
  if (prompt) {
    return {
      message: `\${input:${prompt[1]}} is a question that only an editor can ask`,
      hint: 'write ${VAR} and set the variable instead',
    }
  }
  return { message: '', hint: '' }
}

/** Own variables only: `constructor` is not one. */
export const lookUpVariable = (env: NodeJS.ProcessEnv, name: string): string | undefined =>
  Object.hasOwn(env, name) ? env[name] : undefined

/** The fault of a variable that is needed and not there. */
export const unset = (name: string): Problem => ({
  message: `the variable ${name} is not set`,
  hint: `set ${name}, or write \${${name}:-default}`,
})

const malformed = (whole: string): Problem => ({
  message: `${JSON.stringify(whole)} is not a reference`,
  hint: 'there is ${VAR}, ${env:VAR}, ${VAR:-default} and ${file:PATH}; write "$${" for a literal "${"',
})

/** Larger secrets are mistakes. */
const MAX_REFERENCED_BYTES = 1024 * 1024

/** The text of a file without its last line break, or why there is none. */
export function readReference(file: string, around: Surroundings): string | Problem {
  around.onRead(file)
  try {
    const bytes = readFileSync(file)
    if (bytes.length > MAX_REFERENCED_BYTES)
      return { message: `the file ${file} is larger than 1 MiB`, hint: 'name another file' }
    return bytes.toString('utf8').replace(/\r?\n$/u, '')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'error'
    return { message: `the file ${file} cannot be read (${code})`, hint: 'create it or name another file' }
  }
}
