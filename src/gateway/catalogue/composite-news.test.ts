import { expect, test } from 'vitest'
import { Telemetry } from '../../telemetry/events.ts'
import type { Composite } from '../workflows/compiled-composites.ts'
import type { CompositeStatus } from '../workflows/composite-status.ts'
import { CompositeNews } from './composite-news.ts'

const READY = { kind: 'ready', plan: {} } as CompositeStatus
const WAITING = { kind: 'waiting', why: 'nobody has told yet' } as const
const GONE = { kind: 'withdrawn', why: 'there is no tool "x"', hint: 'did you mean "y"?' } as const

test('what becomes of one is told once, that it can be called only after it could not', () => {
  const events: unknown[] = []
  const telemetry = new Telemetry()
  telemetry.subscribe((name, data) => events.push([name, data]))
  const news = new CompositeNews(telemetry)
  const tell = (status: CompositeStatus, early = false): unknown[] => {
    const composites = new Map<string, CompositeStatus>([
      ['one', status],
      ['two', READY],
    ])
    news.tell(new Map([...composites].map(([name, status]) => [name, { status } as Composite])), early)
    return events.splice(0)
  }
  expect(tell(WAITING, true)).toEqual([])
  expect(tell(WAITING)).toEqual([['workflow.waiting', { workflow: 'one', why: WAITING.why }]])
  expect(tell(WAITING)).toEqual([])
  expect(tell(READY)).toEqual([['workflow.ready', { workflow: 'one' }]])
  const { why, hint } = GONE
  expect(tell(GONE)).toEqual([['workflow.withdrawn', { workflow: 'one', why, hint }]])
})
