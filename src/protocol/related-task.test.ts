import { expect, test } from 'vitest'
import { RELATED_TASK, renameRelatedTask } from './related-task.ts'

const shown = (id: string): string => `shown-${id}`

test('the related task is renamed and nothing else', () => {
  const message = { a: 1, _meta: { b: 2, [RELATED_TASK]: { taskId: 't', more: true } } }
  expect(renameRelatedTask(message, shown)).toEqual({
    a: 1,
    _meta: { b: 2, [RELATED_TASK]: { taskId: 'shown-t', more: true } },
  })
})

test('a task that is nobody else’s business leaves, and its empty _meta with it', () => {
  const hidden = (): undefined => undefined
  expect(renameRelatedTask({ a: 1, _meta: { b: 2, [RELATED_TASK]: { taskId: 't' } } }, hidden)).toEqual({
    a: 1,
    _meta: { b: 2 },
  })
  expect(renameRelatedTask({ a: 1, _meta: { [RELATED_TASK]: { taskId: 't' } } }, hidden)).toEqual({ a: 1 })
})

test.each([[{}], [{ _meta: 1 }], [{ _meta: { [RELATED_TASK]: 't' } }], [{ _meta: { [RELATED_TASK]: { taskId: 7 } } }]])(
  '%j stays as it is',
  (message) => {
    expect(renameRelatedTask(message as never, shown)).toBe(message)
  },
)
