import { expect, test } from 'vitest'
import { legacyQuestion } from './legacy-question.ts'

const FORM = { method: 'elicitation/create', params: { mode: 'form', message: 'Name?' } }
const LINK = { method: 'elicitation/create', params: { mode: 'url', url: 'https://a.b' } }
const SAMPLE = { method: 'sampling/createMessage', params: { mode: 'form' } }

test('a link has an id, the one that it came with before another', () => {
  const { params } = legacyQuestion(LINK, '2025-11-25')
  expect(params).toEqual({ ...LINK.params, elicitationId: expect.any(String) })
  expect(legacyQuestion({ ...LINK, params }, '2025-11-25').params).toEqual(params)
})

test('a form has a mode from the revision on that has modes', () => {
  expect(legacyQuestion(FORM, '2025-11-25')).toEqual(FORM)
  expect(legacyQuestion(FORM, '2025-06-18')).toEqual({ ...FORM, params: { message: 'Name?' } })
  expect(legacyQuestion(SAMPLE, '2025-06-18')).toEqual(SAMPLE)
})
