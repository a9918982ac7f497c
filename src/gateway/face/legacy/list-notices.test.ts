import { expect, test } from 'vitest'
import { NO_CHANGE } from '../listening/changes.ts'
import { ListNotices } from './list-notices.ts'

test('changes that cannot be told are told together, once', () => {
  let reachable = false
  const told: string[] = []
  const notices = new ListNotices((json) => {
    if (reachable) told.push((JSON.parse(json) as { method: string }).method)
    return reachable
  })
  notices.tell({ ...NO_CHANGE, tools: true })
  notices.tell({ ...NO_CHANGE, tools: true, prompts: true })
  notices.flush()
  expect(told).toEqual([])
  reachable = true
  notices.flush()
  notices.flush()
  expect(told).toEqual(['notifications/tools/list_changed', 'notifications/prompts/list_changed'])
})
