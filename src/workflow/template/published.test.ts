import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { JsonValue } from '../../model/json.ts'
import { isFault, parseTemplate } from './parse.ts'
import { evaluate, evaluateCondition, MISSING } from './template.ts'

interface Case {
  from: string
  template: string
  value?: JsonValue
  missing?: true
  error?: string
  fault?: string
  condition?: boolean
}

const data = JSON.parse(readFileSync(new URL('published.json', import.meta.url), 'utf8')) as {
  scope: object
  cases: Case[]
}

test.each(data.cases)('$from: $template', ({ template, value, missing, error, fault, condition }) => {
  const parsed = parseTemplate(template)
  if (isFault(parsed)) {
    expect(parsed.hint).toBe(fault)
    return
  }
  expect(fault).toBeUndefined()
  const give = () => evaluate(parsed, data.scope, { now: 0 })
  if (error !== undefined) expect(give).toThrow(error)
  else expect(give()).toEqual(missing ? MISSING : value)
  if (condition !== undefined) expect(evaluateCondition(parsed, data.scope, { now: 0 })).toBe(condition)
})
