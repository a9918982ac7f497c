import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'

import { groupRuns } from './group.ts'

test('a group runs while one of its processes does; an orphan that nobody has collected does not count', async () => {
  const script = 'sleep 60 & echo $!; read line; exit 0'
  const leader = spawn('sh', ['-c', script], { detached: true, stdio: ['pipe', 'pipe', 'ignore'] })
  const group = leader.pid ?? 0
  const [line] = (await once(leader.stdout, 'data')) as [Buffer]
  const orphan = Number(line.toString())
  expect(groupRuns(group)).toBe(true)
  leader.stdin.end('\n')
  await once(leader, 'exit')
  expect(groupRuns(group)).toBe(true)
  process.kill(orphan, 'SIGKILL')
  const until = Date.now() + 1000
  while (groupRuns(group) && Date.now() < until) await sleep(5)
  expect(groupRuns(group)).toBe(false)
})

test('a group that never was does not run', () => {
  expect(groupRuns(2 ** 22 + 7)).toBe(false)
})
